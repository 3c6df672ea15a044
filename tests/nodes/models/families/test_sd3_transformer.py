"""The transformer as it is called, against that of diffusers loaded through the conversion of diffusers."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from nodes.loaders_apart import load_unet
from nodes.models.families import sd3_transformer
from nodes.models.service import pool
from nodes.models.skipping import Skip
from nodes.models.unet import Unet
from tests.nodes.calls import model_context
from tests.nodes.models import tiny, tiny_sd3
from tests.nodes.models.families.test_flux_transformer import drawn, psnr

KINDS = {"3": {"is_normed": False, "dual": 0}, "3.5": {"dual": 2}}


def loaded(folder: Path, tensors: dict[str, Tensor]) -> Unet:
    tiny.write(folder / "diffusion_models" / "x.safetensors", tensors, {})
    ctx = model_context(folder)
    return ctx.use(pool).unet(load_unet(ctx, "x.safetensors", "default"))


def inputs(batch: int) -> dict[str, Tensor]:
    return {"context": drawn(batch, 7, tiny_sd3.CONTEXT), "pooled": drawn(batch, tiny_sd3.POOLED)}


@torch.no_grad()
def expected(tensors: dict[str, Tensor], x: Tensor, timestep: float, skip: list[int] | None = None) -> Tensor:
    given, times = inputs(len(x)), torch.full((len(x),), timestep)
    module = tiny_sd3.reference(tensors)
    out: Tensor = module(x, given["context"], given["pooled"], times, skip_layers=skip, return_dict=False)[0]
    return out


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("batch", "height", "width", "timestep"), [(1, 8, 8, 1000.0), (2, 6, 12, 370.0)])
@torch.no_grad()
def test_the_prediction_is_that_of_diffusers(
    tmp_path: Path, kind: str, batch: int, height: int, width: int, timestep: float
) -> None:
    tensors, x = tiny_sd3.transformer(**KINDS[kind]), drawn(batch, 16, height, width, seed=3)
    found = loaded(tmp_path, tensors)(x, torch.full((batch,), timestep), inputs(batch))
    assert psnr(found, expected(tensors, x, timestep)) >= 110


@torch.no_grad()
def test_odd_sides_are_filled_and_blocks_may_be_left_out(tmp_path: Path) -> None:
    tensors, x = tiny_sd3.transformer(), drawn(1, 16, 7, 5, seed=3)
    unet = loaded(tmp_path, tensors)
    filled = torch.cat([torch.cat([x, x[:, :, :1]], 2), torch.cat([x, x[:, :, :1]], 2)[..., :1]], 3)
    found = unet(x, torch.tensor([500.0]), inputs(1))
    assert found.shape == x.shape and psnr(found, expected(tensors, filled, 500.0)[..., :7, :5]) >= 110
    skipped = unet(filled, torch.tensor([500.0]), {**inputs(1), sd3_transformer.SKIP: Skip((1,), (), 1.0, 0.0)})
    assert psnr(skipped, expected(tensors, filled, 500.0, [1])) >= 110


def test_it_takes_more_memory_for_more_cells() -> None:
    config = sd3_transformer.config(
        {name: tuple(tensor.shape) for name, tensor in tiny_sd3.reference(tiny_sd3.transformer()).state_dict().items()}
    )
    small, large = (sd3_transformer.working(config, 2, cells, 4) for cells in (64, 4096))
    assert 0 < small < large
