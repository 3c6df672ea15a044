"""Runs over a GPU that is not there: no operation mixes devices, no step waits, and it is the picture of the CPU."""

from pathlib import Path
from traceback import extract_stack
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.context import Context
from nodes import model_guidance as guidance
from nodes import model_patches as patches
from nodes.gligen import apply_gligen_text_box, load_gligen
from nodes.latent_operations import latent_apply_operation_cfg, latent_operation_sharpen
from nodes.model_options import rescale_cfg
from nodes.models.assemble import Source
from nodes.models.families import t2i_adapter
from nodes.models.sample import sample
from nodes.models.service import pool
from nodes.recipes import (
    Clip,
    ClipVisionOutput,
    Cond,
    Conditioning,
    Control,
    ControlNet,
    FileRef,
    Latent,
    LoraPatch,
    Model,
    NoiseSource,
    Sampler,
    Vae,
    classifier_free,
)
from nodes.text import clip_text_encode
from nodes.vae import vae_decode, vae_decode_tiled, vae_encode, vae_encode_tiled
from nodes.vision import unclip_conditioning
from tests.nodes import test_gligen, test_t2i_adapter
from tests.nodes.calls import model_context
from tests.nodes.card import WAITS, Event, card
from tests.nodes.models import tiny, tiny_sd2, tiny_xl
from tests.parity.compare import psnr

SD1, XL, UNCLIP, INPAINT = (Model(FileRef("checkpoints", name)) for name in ("sd1", "xl", "unclip", "inpaint"))
SIGMAS = torch.tensor([14.0, 3.0, 0.5, 0.0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("card")
    unet, vae, text = tiny.modules(unet=test_gligen.UNET)
    wide = tiny.filled(type(unet)(**{**test_gligen.UNET, "in_channels": 9}), 8)
    state = {name: tensor.half() for name, tensor in tiny.tensors(unet, vae, text).items()}
    adapter = tiny.filled(t2i_adapter.build(test_t2i_adapter.CONFIG), 5).state_dict()
    control = {**tiny.CONTROL, "layers_per_block": 2}
    for name, content, metadata in (
        ("checkpoints/sd1", state, tiny.METADATA),
        ("checkpoints/inpaint", tiny.tensors(wide, vae, text), tiny.METADATA),
        ("checkpoints/xl", tiny_xl.tensors(tiny_xl.modules()), {}),
        ("checkpoints/unclip", tiny_sd2.unclip(), {}),
        ("loras/lora", tiny.lora(), {}),
        ("controlnet/net", tiny.control(control), tiny.METADATA),
        ("controlnet/union", tiny.union(control), tiny.METADATA),
        ("controlnet/adapter", test_t2i_adapter.original(adapter, 2), {}),
        ("gligen/boxes", test_gligen.gligen(unet), {}),
    ):
        tiny.write(folder / name, content, metadata)
    return folder


@pytest.fixture(scope="module")
def on_card(folder: Path) -> Context:
    return model_context(folder, **settings(device="cuda"))


@pytest.fixture(scope="module")
def on_host(folder: Path) -> Context:
    return model_context(folder, **settings())


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def prompt(seed: int = 1, width: int = 32, **options: Any) -> Conditioning:
    return Conditioning((Cond(drawn(1, 7, width, seed=seed), drawn(1, 32, seed=seed), options),))


def settings(**more: Any) -> dict[str, Any]:
    return {"precision": "fp32", "ancestral_noise": "same-seed", **more}


def run(
    ctx: Context,
    model: Model = SD1,
    positive: Conditioning | None = None,
    latent: Latent | None = None,
    solver: str = "euler",
    negative: Conditioning | None = None,
) -> Tensor:
    """Sample; what waits is noted from the end of the first prediction to that of the last one."""
    width = 64 if model is XL else 32
    guider = classifier_free(model, positive or prompt(1, width), negative or prompt(2, width), 2.5)

    def watch(step: int, denoised: Tensor, x: Tensor, count: int) -> None:
        WAITS.noted = step + 1 < count

    latent = latent or Latent(drawn(1, 4, 8, 8, seed=9))
    try:
        return sample(ctx, guider, Sampler(solver), SIGMAS, NoiseSource(3), latent, watch).output.samples
    finally:
        WAITS.noted = False


def compared(on_card: Context, on_host: Context, monkeypatch: pytest.MonkeyPatch, **how: Any) -> None:
    """See that a run over the card waits for nothing, and gives about what one over the CPU gives."""
    expected = run(on_host, **how)
    with card(monkeypatch) as waits:
        found = run(on_card, **how)
    assert waits == []
    assert found.device.type == "cpu" and psnr(found, expected) > 70


HOW: dict[str, dict[str, Any]] = {
    "plain": {},
    "a batch": {"latent": Latent(drawn(3, 4, 8, 8))},
    "a longer prompt": {"positive": Conditioning((Cond(drawn(1, 14, 32)),))},
    "an area": {"positive": Conditioning((*prompt(1).entries, *prompt(3, area=(4, 4, 2, 2), strength=0.7).entries))},
    "a part": {"positive": Conditioning((*prompt(1).entries, *prompt(3, area=("percentage", 0.5, 0.5, 0, 0)).entries))},
    "a mask of a prompt": {"positive": prompt(1, mask=drawn(1, 16, 16).sigmoid(), mask_strength=0.8)},
    "around a mask": {"positive": prompt(1, mask=drawn(1, 8, 8).relu(), set_area_to_bounds=True)},
    "a range": {"positive": Conditioning((*prompt(1, end_percent=0.5).entries, *prompt(4).entries))},
    "a noise mask": {"latent": Latent(drawn(2, 4, 8, 8), drawn(1, 1, 32, 32).sigmoid())},
    "fresh background": {"latent": Latent(drawn(1, 4, 8, 8), drawn(1, 1, 8, 8).sigmoid()), "solver": "ddim"},
    "noise of the card": {"solver": "euler_ancestral"},
    "noise of the host": {"solver": "dpmpp_2m_sde"},
    "a path of the card": {"solver": "dpmpp_sde_gpu"},
    "a guided solver": {"solver": "euler_cfg_pp"},
    "an inpainting model": {
        "model": INPAINT,
        "latent": Latent(drawn(1, 4, 8, 8), torch.ones(1, 1, 8, 8)),
        "positive": prompt(1, concat_latent_image=drawn(1, 4, 8, 8), concat_mask=torch.ones(1, 1, 64, 64)),
    },
    "SDXL": {"model": XL},
    "a LoRA": {"model": Model(SD1.file, (LoraPatch(FileRef("loras", "lora"), 0.5),))},
    "FreeU": {"model": patches.freeu(SD1)},
    "FreeU V2": {"model": patches.freeu_v2(SD1)},
    "HyperTile": {"model": patches.hyper_tile(SD1, 32, 2, 1, True)},
    "ToMe": {"model": patches.token_merging(SD1, 0.5)},
    "Deep Shrink": {"model": patches.deep_shrink(SD1, 2, 1.7, downscale_method="bislerp", upscale_method="bislerp")},
    "a soft mask": {
        "model": patches.differential_diffusion(SD1),
        "latent": Latent(drawn(1, 4, 8, 8), drawn(1, 1, 8, 8).sigmoid()),
    },
    "PAG": {"model": guidance.perturbed_attention_guidance(SD1)},
    "SAG": {"model": guidance.self_attention_guidance(SD1)},
    "APG": {"model": guidance.adaptive_projected_guidance(SD1, 0.5, momentum=-0.5)},
    "TCFG": {"model": guidance.tangential_damping(SD1).patched_model},
    "CFG-Zero*": {"model": guidance.cfg_zero_star(SD1).patched_model},
    "CFGNorm": {"model": guidance.cfg_norm(SD1).patched_model},
    "RenormCFG": {"model": guidance.renorm_cfg(SD1, 3.0)},
    "Mahiro": {"model": guidance.mahiro(SD1).patched_model},
    "FreSca": {"model": guidance.fresca(SD1, 1.0, 1.5, 2)},
    "Epsilon Scaling": {"model": guidance.epsilon_scaling(SD1, 1.02)},
    "rising guidance": {"model": guidance.video_linear_guidance(SD1), "latent": Latent(drawn(3, 4, 8, 8))},
    "triangular guidance": {"model": guidance.video_triangle_guidance(SD1), "latent": Latent(drawn(3, 4, 8, 8))},
    "an operation": {"model": latent_apply_operation_cfg(SD1, latent_operation_sharpen(2))},
    "rescaled guidance": {"model": rescale_cfg(SD1)},
}


@pytest.mark.parametrize("name", HOW)
def test_no_step_mixes_devices_or_waits(on_card: Context, on_host: Context, monkeypatch: Any, name: str) -> None:
    compared(on_card, on_host, monkeypatch, **HOW[name])


@pytest.mark.parametrize(("name", "type"), [("net", None), ("union", None), ("union", 2), ("adapter", None)])
def test_what_steers_does_not_wait(on_card: Context, on_host: Context, monkeypatch: Any, name: str, type: Any) -> None:
    net = ControlNet(FileRef("controlnet", name), type=type)
    control = (Control(net, drawn(1, 40, 32, 3).sigmoid(), 0.7),)
    compared(on_card, on_host, monkeypatch, positive=prompt(1, control=control, control_both=True))


def test_boxes_come_to_the_card_once(on_card: Context, on_host: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = Clip(SD1.file)
    text = clip_text_encode(on_host, "a room", clip)
    boxed = apply_gligen_text_box(on_host, text, clip, load_gligen(on_host, "boxes"), "a cat", 32, 32, 0, 0)
    compared(on_card, on_host, monkeypatch, positive=boxed)


def test_prompts_and_pictures(on_card: Context, on_host: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    clip, vae = Clip(SD1.file, (LoraPatch(FileRef("loras", "lora"), 0.5),)), Vae(SD1.file)
    latent, pixels = Latent(drawn(2, 4, 16, 16)), drawn(2, 40, 48, 3).sigmoid()

    def made(ctx: Context) -> list[Tensor]:
        return [
            clip_text_encode(ctx, "a (cat:1.3) on a mat", clip).entries[0].context,
            vae_decode(ctx, latent, vae),
            vae_decode_tiled(ctx, latent, vae, 64, 16),
            vae_encode(ctx, pixels, vae).samples,
            vae_encode_tiled(ctx, pixels, vae, 64, 16).samples,
        ]

    expected = made(on_host)
    with card(monkeypatch):
        found = made(on_card)
    assert all(each.device.type == "cpu" for each in found)
    assert min(psnr(*pair) for pair in zip(found, expected, strict=True)) > 70


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize("model", [SD1, XL, UNCLIP, INPAINT], ids=["sd1", "xl", "unclip", "inpaint"])
def test_half_precision(folder: Path, monkeypatch: pytest.MonkeyPatch, model: Model, precision: str) -> None:
    """No weight meets a tensor of another dtype."""
    positive = prompt(1, 64 if model is XL else 32)
    if model is UNCLIP:
        positive = unclip_conditioning(positive, ClipVisionOutput(*(torch.ones(1, 24),) * 3))
    latent = Latent(drawn(1, 4, 8, 8), torch.ones(1, 1, 8, 8)) if model is INPAINT else None
    with card(monkeypatch) as waits:
        ctx = model_context(folder, device="cuda", precision=precision)
        found = run(ctx, model, positive, latent, negative=positive)
        assert {each.dtype for each in ctx.use(pool).unet(model).module.parameters()} == {
            getattr(torch, {"fp16": "float16", "bf16": "bfloat16"}[precision])
        }
    assert waits == [] and found.dtype == torch.float32 and found.isfinite().all()


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_blocks_that_come_and_go(folder: Path, monkeypatch: pytest.MonkeyPatch, precision: str, share: float) -> None:
    """With the room that others leave on the card, in any precision; a block waits until one before it is done."""
    control = (Control(ControlNet(FileRef("controlnet", "net")), drawn(1, 32, 32, 3).sigmoid(), 0.7),)
    steered = prompt(1, control=control)
    with card(monkeypatch):
        plenty = model_context(folder, **settings(device="cuda", precision=precision))
        expected = run(plenty, positive=steered)
        models = plenty.use(pool)
        whole, least = models.residents.held_bytes, models.least(SD1)
        room = round(least + (whole - least) * share) + 3 * models.working(SD1, 1, 64)
    Event.done = 0
    with card(monkeypatch, free=room * 10 // 9 + 1) as waits:
        ctx = model_context(folder, **settings(device="cuda", precision=precision))
        told: list[str] = []
        ctx.warn = told.append  # type: ignore[method-assign]
        found = run(ctx, positive=steered)
    assert torch.equal(found, expected) and waits == []
    assert any("come in" in text for text in told)
    assert Event.done > 3 * 2


def test_a_card_that_is_fuller_than_it_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that turns out not to fit comes in blocks."""
    with card(monkeypatch):
        ctx, told = model_context(folder, **settings(device="cuda")), []
        ctx.warn = told.append  # type: ignore[method-assign]
        expected, tensor = run(ctx), Source.tensor
        ctx.use(pool).residents.drop()

        def full(source: Source, name: str, shape: Any) -> Tensor:
            if "up_blocks.1" in name and not any("streaming.py" in frame.filename for frame in extract_stack()):
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return tensor(source, name, shape)

        monkeypatch.setattr(Source, "tensor", full)
        assert torch.equal(run(ctx), expected)
        assert len(told) == 1 and "come in" in told[0]
