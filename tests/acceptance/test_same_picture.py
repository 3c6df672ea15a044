"""One picture whatever does not belong to it: names of nodes, batches, threads, processes, what is remembered."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import nodes
from engine import Engine, Folders, Settings
from engine.api import Result
from tests.parity.compare import ENOUGH, GREY_LEVELS, psnr

SETTINGS = Settings(precision="fp32")
SAMPLING = {"seed": 7, "steps": 3, "cfg": 4.0, "denoise": 1.0}
SOLVERS = {"dpmpp_2m": "karras", "uni_pc": "normal", "euler_ancestral": "simple", "dpmpp_sde": "exponential"}
"""Solvers of each kind, with a schedule: of one step and several, two that draw noise on the way."""
DRAWING = {"euler_ancestral", "dpmpp_sde"}


def workflow(solver, names="1234567", batch=1, index=None):
    """Text to picture with the model that ships; ``names`` are the ids of its nodes, ``index`` a place in the batch."""
    chosen = {"sampler_name": solver, "scheduler": SOLVERS[solver]}
    model, positive, negative, latent, sampler, decode, picked = names
    links = {"model": [model, 0], "positive": [positive, 0], "negative": [negative, 0]}
    found = {
        model: {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "tiny-portrait.safetensors"}},
        positive: {"class_type": "CLIPTextEncode", "inputs": {"clip": [model, 1], "text": "a (man:1.2) with a beard"}},
        negative: {"class_type": "CLIPTextEncode", "inputs": {"clip": [model, 1], "text": "hat"}},
        latent: {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": batch}},
        sampler: {"class_type": "KSampler", "inputs": {**SAMPLING, **chosen, **links}},
        decode: {"class_type": "VAEDecode", "inputs": {"samples": [sampler, 0], "vae": [model, 2]}},
        "picture": {"class_type": "SaveImage", "inputs": {"images": [decode, 0], "filename_prefix": "picture"}},
        "latent": {"class_type": "SaveLatent", "inputs": {"samples": [sampler, 0], "filename_prefix": "latent"}},
    }
    found[sampler]["inputs"]["latent_image"] = [latent if index is None else picked, 0]
    if index is not None:
        taken = {"samples": [latent, 0], "batch_index": index, "length": 1}
        found[picked] = {"class_type": "LatentFromBatch", "inputs": taken}
    return found


def made(folder: Path, prompt) -> tuple[torch.Tensor, list[np.ndarray]]:
    """Run a workflow with nothing remembered; return its latents and pictures."""
    folders = Folders((nodes.EMBEDDED,), output=folder / "output", temp=folder / "temp")
    with Engine(nodes.vocabulary(), folders=folders, settings=SETTINGS) as engine:
        return shown(engine.run(prompt))


def shown(result: Result) -> tuple[torch.Tensor, list[np.ndarray]]:
    pictures = [np.asarray(Image.open(file["path"]), dtype=int) for file in result.outputs["picture"].files]
    return load_file(result.outputs["latent"].files[0]["path"])["latent_tensor"], pictures


def agree(first, second) -> None:
    """The bounds within which two runs give the same picture."""
    assert psnr(first[0], second[0]) >= ENOUGH
    for one, other in zip(first[1], second[1], strict=True):
        assert np.abs(one - other).max() <= GREY_LEVELS


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=() if name == "dpmpp_2m" else pytest.mark.slow) for name in SOLVERS],
)
def solver(request):
    return request.param


@pytest.fixture(scope="module")
def plain(tmp_path_factory, solver):
    return made(tmp_path_factory.mktemp("plain"), workflow(solver))


def test_names_of_nodes_change_nothing(plain, solver, tmp_path):
    latent, (picture,) = made(tmp_path, workflow(solver, names=("z", "y", "x", "w", "Sampler", "9:1", "0")))
    assert torch.equal(latent, plain[0])
    assert np.array_equal(picture, plain[1][0])


def test_a_batch_is_as_many_single_runs(plain, solver, tmp_path):
    """Each in its place of the batch. What solvers draw on the way they draw for the whole batch: KSamplerSeeds."""
    if solver in DRAWING:
        pytest.skip("tests/server/batch/test_together.py compares several seeds at once")
    latents, pictures = made(tmp_path / "batch", workflow(solver, batch=2))
    agree((latents[:1], pictures[:1]), plain)
    agree((latents[1:], pictures[1:]), made(tmp_path / "single", workflow(solver, batch=2, index=1)))


@pytest.mark.parametrize("count", [1, 3])
def test_the_number_of_threads_changes_nothing(plain, solver, tmp_path, count):
    with threads(count):
        agree(plain, made(tmp_path, workflow(solver)))


def test_another_process_with_nothing_remembered_gives_the_same_bytes(plain, solver, tmp_path):
    code = (
        "import sys; from pathlib import Path; import torch; torch.set_num_threads(int(sys.argv[2]));"
        "from tests.acceptance.test_same_picture import made, workflow; made(Path(sys.argv[1]), workflow(sys.argv[3]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(torch.get_num_threads()), solver]
    subprocess.run(command, check=True, timeout=200)
    latent, picture = sorted((tmp_path / "output").iterdir())
    assert load_file(latent)["latent_tensor"].equal(plain[0])
    assert np.array_equal(np.asarray(Image.open(picture), dtype=int), plain[1][0])
