import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from engine import Engine, Folders, Settings
from engine.errors import OutOfMemory
from engine.events import NodeStarted, Remembered, Warned
from nodes.models.pictures import NOT_KEPT, Pictures, enlarged
from nodes.models.service import pool
from nodes.models.working import vae_bytes
from nodes.recipes import FileRef, Model, UpscaleModel, Vae
from tests.nodes.calls import model_context
from tests.nodes.models import tiny
from tests.nodes.models.test_upscaler import compact
from tests.parity.compare import psnr

TINY = Vae(FileRef("checkpoints", "tiny"))
LARGE = torch.randn(1, 4, 68, 64, generator=torch.Generator().manual_seed(1))
"""Latents of a picture of 136 x 128 pixels, which is more than a tile of 128."""


def told(models: Path, ram: int) -> tuple[Pictures, list[str]]:
    ctx, texts = model_context(models, ram=ram), []
    ctx.warn = texts.append
    return Pictures(ctx, TINY), texts


@pytest.fixture(scope="module")
def weights(models: Path) -> int:
    plenty, _ = told(models, 1 << 30)
    plenty.ctx.use(pool).vae(TINY)
    return plenty.ctx.use(pool).residents.held_bytes


def working(side: int) -> int:
    return vae_bytes(tiny.VAE, side**2, 4)


def test_with_room_a_picture_is_decoded_whole(models: Path, weights: int) -> None:
    pictures, texts = told(models, weights + vae_bytes(tiny.VAE, 136 * 128, 4))
    whole = pictures.ctx.use(pool).vae(TINY).decode(LARGE)
    assert torch.equal(pictures.decode(LARGE), whole)
    assert texts == [] and pictures.ctx.exact


def test_without_room_it_is_decoded_in_tiles_and_not_remembered(models: Path, weights: int) -> None:
    pictures, texts = told(models, weights + working(128))
    tiled = pictures.ctx.use(pool).vae(TINY).decode_tiled(LARGE, 128, 16, lambda done, count: None)
    pictures.ctx.use(pool).unet(Model(TINY.file))
    assert torch.equal(pictures.decode(LARGE), tiled)
    assert "The VAE at work needs" in texts[0]
    assert texts[0].endswith(f"tiles of 128 pixels. {NOT_KEPT}")
    assert not pictures.ctx.exact


def test_pictures_are_encoded_in_tiles_too(models: Path, weights: int) -> None:
    pixels = torch.rand(1, 136, 128, 3)
    whole, _ = told(models, 1 << 30)
    pictures, texts = told(models, weights + working(128))
    assert psnr(whole.encode(pixels), pictures.encode(pixels)) > 20
    assert len(texts) == 1 and not pictures.ctx.exact


def test_too_little_for_a_tile_is_an_error_and_the_next_picture_is_decoded(models: Path, weights: int) -> None:
    pictures, _ = told(models, weights + working(64))
    with pytest.raises(OutOfMemory, match="The VAE at work on tiles of 128 needs"):
        pictures.decode(LARGE)
    small = torch.randn(1, 4, 16, 16)
    assert torch.equal(pictures.decode(small), pictures.ctx.use(pool).vae(TINY).decode(small))


def test_tiles_that_a_person_chose_are_not_made_smaller(models: Path, weights: int) -> None:
    pictures, texts = told(models, weights + working(128))
    pictures.decode_tiled(LARGE, 128, 16)
    assert texts == [] and pictures.ctx.exact
    with pytest.raises(OutOfMemory):
        pictures.decode_tiled(LARGE, 256, 16)


@contextmanager
def no_more_memory_than(more: int) -> Iterator[None]:
    """Let this process map ``more`` bytes, and not another one. Threads would want some of them for their own."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the process's size as Linux tells it")
def test_an_allocation_that_fails_leads_to_tiles(tmp_path: Path) -> None:
    """The budget allows it and the machine does not: each of several tensors has 36 MiB.

    Slow, though it is not: an address space that is used up can leave oneDNN broken for the rest of the process, and
    what other tests left in the heap decides whether it is used up.
    """
    vae = {**tiny.VAE, "block_out_channels": (16, 16, 16, 16), "layers_per_block": 1}
    vae |= {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    tiny.write(tmp_path / "checkpoints" / "tiny", tiny.tensors(*tiny.modules(vae=vae)))
    pictures, texts = told(tmp_path, 1 << 40)
    pictures.decode(torch.randn(1, 4, 8, 8))
    with no_more_memory_than(130 << 20):
        picture = pictures.decode(torch.randn(1, 4, 96, 96))
    assert picture.shape == (1, 768, 768, 3)
    assert "The memory of the device ran out." in texts[0]
    assert texts[-1].endswith(f"pixels. {NOT_KEPT}") and not pictures.ctx.exact


def test_an_upscaler_that_runs_out_gets_smaller_tiles(tmp_path: Path) -> None:
    (tmp_path / "upscale_models").mkdir()
    compact(tmp_path / "upscale_models")
    ctx, texts, sides = model_context(tmp_path), [], []
    ctx.warn = texts.append
    recipe = UpscaleModel(FileRef("upscale_models", "compact"))
    upscaler = ctx.use(pool).upscaler(recipe)
    image = torch.rand(1, 3, 130, 300)
    whole = upscaler(image).clamp(0, 1)

    def small(module: torch.nn.Module, given: tuple[torch.Tensor]) -> None:
        sides.append(max(given[0].shape))
        if max(given[0].shape) > 128:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    upscaler.module.register_forward_pre_hook(small)
    assert torch.allclose(enlarged(ctx, recipe, image), whole, atol=0.05)
    assert sides[:3] == [300, 256, 128]
    assert len(texts) == 2 and not ctx.exact


WORKFLOW = {
    "1": {"class_type": "VAELoader", "inputs": {"vae_name": "alone.safetensors"}},
    "2": {"class_type": "EmptyLatentImage", "inputs": {"width": 544, "height": 512, "batch_size": 1}},
    "3": {"class_type": "VAEDecode", "inputs": {"samples": ["2", 0], "vae": ["1", 0]}},
    "4": {"class_type": "ImageInvert", "inputs": {"image": ["3", 0]}},
    "5": {"class_type": "SaveImage", "inputs": {"images": ["4", 0], "filename_prefix": "x"}},
}


def test_what_follows_from_tiles_is_remembered_under_what_they_gave(tmp_path: Path, models: Path, weights: int) -> None:
    import nodes

    (tmp_path / "models" / "vae").mkdir(parents=True)
    (tmp_path / "models" / "vae" / "alone.safetensors").write_bytes((models / "vae" / "alone").read_bytes())
    settings = Settings(ram=weights + working(128))
    folders = Folders((tmp_path / "models",), output=tmp_path / "output")

    def run(settings: Settings) -> tuple[list[str], list[str], list[str]]:
        events = []
        with Engine(nodes.vocabulary(), folders=folders, settings=settings, data=tmp_path / "data") as engine:
            engine.run(WORKFLOW, on_event=events.append)
        return (
            [event.class_type for event in events if isinstance(event, NodeStarted)],
            [event.class_type for event in events if isinstance(event, Remembered)],
            [event.message for event in events if isinstance(event, Warned)],
        )

    ran, _, warned = run(settings)
    assert {"VAEDecode", "ImageInvert"} <= {*ran}
    assert NOT_KEPT in warned[0]
    ran, remembered, _ = run(settings)
    assert "VAEDecode" in ran and "ImageInvert" in remembered
    ran, _, warned = run(Settings(ram=1 << 30))
    assert "VAEDecode" in ran and warned == []
