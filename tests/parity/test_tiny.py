"""The whole road with tiny models of the real classes, against a straight program. It needs no reference folder."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import nodes
from engine import Engine, Folders, Settings
from nodes.models.tokenizer import Tokenizer
from tests.nodes.models import tiny
from tests.parity.compare import ENOUGH, GREY_LEVELS, psnr
from tests.parity.straight import Straight, karras, normal

PREDICTIONS = ("eps", "v")
TEXTS = ("a cat", "a dog in the rain")
SIDE = 8
"""Cells of a latent each way; EmptyLatentImage counts eight pixels to a cell."""


@pytest.fixture(scope="module", params=PREDICTIONS)
def model(request, tmp_path_factory):
    """A models folder, and the straight program over the modules that are in it."""
    folder = tmp_path_factory.mktemp(request.param)
    unet, vae, text = tiny.modules()
    metadata = tiny.METADATA | {"modelspec.prediction_type": request.param}
    tiny.write(folder / "models" / "checkpoints" / "tiny.safetensors", tiny.tensors(unet, vae, text), metadata)
    (folder / "input").mkdir()
    for parameter in text.parameters():
        parameter.copy_(parameter.half().float())
    return folder, Straight(unet, vae, text, 0.5, request.param)


def ids(text: str) -> list[int]:
    return Tokenizer(tiny.TEXT["vocab_size"]).ids(text)


def road(
    folder: Path,
    rule: str = "next-seed",
    mask: torch.Tensor | None = None,
    start: torch.Tensor | None = None,
    **sampling,
):
    """Run the workflow of a case; return its latent and its pictures."""
    sampling = {"seed": 5, "steps": 4, "cfg": 6.0, "denoise": 1.0, **sampling}
    links = {"model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0]}
    workflow = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "tiny.safetensors"}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": sampling.pop("text", TEXTS[0])}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": TEXTS[1]}},
        "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 8 * SIDE, "height": 8 * SIDE, "batch_size": 1}},
        "5": {"class_type": "KSampler", "inputs": {**sampling, **links}},
        "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
        "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "x"}},
        "8": {"class_type": "SaveLatent", "inputs": {"samples": ["5", 0], "filename_prefix": "x"}},
    }
    if start is not None:
        save_file({"latent_tensor": start, "latent_format_version_0": torch.tensor([])}, folder / "input" / "x.latent")
        workflow["4"] = {"class_type": "LoadLatent", "inputs": {"latent": "x.latent"}}
    if mask is not None:
        Image.fromarray((mask.numpy() * 255).astype(np.uint8)).save(folder / "input" / "mask.png")
        workflow["9"] = {"class_type": "LoadImageMask", "inputs": {"image": "mask.png", "channel": "red"}}
        workflow["10"] = {"class_type": "SetLatentNoiseMask", "inputs": {"samples": ["4", 0], "mask": ["9", 0]}}
        workflow["5"]["inputs"]["latent_image"] = ["10", 0]
    folders = Folders((folder / "models",), input=folder / "input", output=folder / "output", temp=folder / "temp")
    settings = Settings(precision="fp32", ancestral_noise=rule)
    with Engine(nodes.vocabulary(), folders=folders, settings=settings) as engine:
        outputs = engine.run(workflow).outputs
    latent = load_file(outputs["8"].files[0]["path"])["latent_tensor"]
    return latent, np.stack([np.asarray(Image.open(file["path"]), dtype=int) for file in outputs["7"].files])


def agree(straight: Straight, expected: torch.Tensor, got) -> None:
    latent, pictures = got
    assert psnr(expected, latent) >= ENOUGH
    assert np.abs(straight.picture(expected).astype(int) - pictures).max() <= GREY_LEVELS


def conds(straight: Straight):
    return tuple(straight.encoded(ids(text)) for text in TEXTS)


@pytest.mark.parametrize(
    ("solver", "scheduler", "rule"),
    [
        ("euler", "normal", "next-seed"),
        ("dpmpp_2m", "karras", "next-seed"),
        ("euler_ancestral", "normal", "next-seed"),
        ("euler_ancestral", "karras", "same-seed"),
    ],
)
@torch.no_grad()
def test_text_to_picture(model, solver, scheduler, rule):
    folder, straight = model
    got = road(folder, rule, sampler_name=solver, scheduler=scheduler)
    sigmas = {"normal": normal, "karras": karras}[scheduler](4)
    seed = 5 + (rule == "next-seed")
    empty = torch.zeros(1, 4, SIDE, SIDE)
    agree(straight, straight.sampled(conds(straight), 6.0, sigmas, 5, empty, solver, noise_seed=seed), got)


@torch.no_grad()
def test_weights_in_a_prompt(model):
    folder, straight = model
    got = road(folder, sampler_name="euler", scheduler="normal", text="a (cat:1.4)")
    words = [(token, 1.0) for token in ids("a ")] + [(token, 1.4) for token in ids("cat")]
    positive = straight.encoded([token for token, _ in words], [weight for _, weight in words])
    given = positive, conds(straight)[1]
    agree(straight, straight.sampled(given, 6.0, normal(4), 5, torch.zeros(1, 4, SIDE, SIDE), "euler"), got)


@torch.no_grad()
def test_picture_to_picture_under_a_mask(model):
    folder, straight = model
    start = torch.randn(1, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    mask = torch.zeros(SIDE, SIDE)
    mask[2:6, 1:7] = 1
    got = road(folder, sampler_name="dpmpp_2m", scheduler="karras", denoise=0.5, start=start, mask=mask)
    sigmas = karras(8)[-5:]
    agree(straight, straight.sampled(conds(straight), 6.0, sigmas, 5, start, "dpmpp_2m", mask[None, None]), got)
    torch.testing.assert_close(got[0][:, :, 7], start[:, :, 7], rtol=1e-4, atol=1e-4)
