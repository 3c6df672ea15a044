"""The transformer as it is called, against that of diffusers loaded through the conversion of diffusers."""

from collections.abc import Iterator

import pytest
import torch
from diffusers.pipelines.flux.pipeline_flux import FluxPipeline
from torch import Tensor

from nodes.loaders_apart import load_unet
from nodes.models.families import flux_transformer, ldm_unet
from nodes.models.families.checkpoint import Cut
from nodes.models.service import pool
from nodes.models.unet import Unet
from tests.nodes.calls import model_context
from tests.nodes.models import tiny, tiny_flux


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unet]:
    folder = tmp_path_factory.mktemp("flux")
    tiny.write(folder / "diffusion_models" / "x.safetensors", tiny_flux.transformer(), {})
    ctx = model_context(folder)
    yield ctx.use(pool).unet(load_unet(ctx, "x.safetensors", "default"))


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def inputs(batch: int, **more: Tensor) -> dict[str, Tensor]:
    found = {"context": drawn(batch, 7, tiny_flux.CONTEXT), "pooled": drawn(batch, tiny_flux.POOLED)}
    return found | {"guidance": torch.full((batch,), 3.5)} | more


def packed(x: Tensor) -> Tensor:
    return FluxPipeline._pack_latents(x, *x.shape)


def ids(x: Tensor, number: int = 0) -> Tensor:
    found = FluxPipeline._prepare_latent_image_ids(1, x.shape[-2] // 2, x.shape[-1] // 2, "cpu", torch.float32)
    found[..., 0] = number
    return found


@torch.no_grad()
def expected(x: Tensor, sigma: float, given: dict[str, Tensor], referred: Tensor | None = None) -> Tensor:
    """What diffusers makes of it, with its own way to lay latents into tokens."""
    module = tiny_flux.reference(tiny_flux.transformer())
    tokens, places = packed(x), ids(x)
    if referred is not None:
        tokens, places = torch.cat([tokens, packed(referred)], 1), torch.cat([places, ids(referred, 1)])
    out = module(
        tokens,
        encoder_hidden_states=given["context"],
        pooled_projections=given["pooled"],
        timestep=torch.full((len(x),), sigma),
        img_ids=places,
        txt_ids=torch.zeros(given["context"].shape[1], 3),
        guidance=given["guidance"],
        return_dict=False,
    )[0][:, : packed(x).shape[1]]
    unpacked: Tensor = FluxPipeline._unpack_latents(out, x.shape[-2] * 8, x.shape[-1] * 8, 8)
    return unpacked


def psnr(found: Tensor, other: Tensor) -> float:
    error = (found - other).square().mean().clamp(min=1e-30)
    return 10 * float(torch.log10(other.abs().max() ** 2 / error))


@pytest.mark.parametrize(("batch", "height", "width", "sigma"), [(1, 8, 8, 1.0), (2, 6, 10, 0.37)])
@torch.no_grad()
def test_the_prediction_is_that_of_diffusers(unet: Unet, batch: int, height: int, width: int, sigma: float) -> None:
    x, given = drawn(batch, 16, height, width, seed=3), inputs(batch)
    found = unet(x, torch.full((batch,), sigma), given)
    assert psnr(found, expected(x, sigma, given)) >= 110


@torch.no_grad()
def test_a_latent_that_is_referred_to_lies_on_a_plane_of_its_own(unet: Unet) -> None:
    x, referred, given = drawn(1, 16, 8, 6, seed=3), drawn(1, 16, 6, 4, seed=4), inputs(1)
    found = unet(x, torch.tensor([0.5]), {**given, "reference_0": referred})
    assert psnr(found, expected(x, 0.5, given, referred)) >= 110
    assert psnr(found, expected(x, 0.5, given)) < 60


@torch.no_grad()
def test_odd_sides_are_filled_from_the_other_end(unet: Unet) -> None:
    x, given = drawn(1, 16, 7, 5, seed=3), inputs(1)
    filled = torch.cat([x, x[:, :, :1]], 2)
    filled = torch.cat([filled, filled[..., :1]], 3)
    found = unet(x, torch.tensor([0.5]), given)
    assert found.shape == x.shape and psnr(found, expected(filled, 0.5, given)[..., :7, :5]) >= 110


@torch.no_grad()
def test_without_guidance_its_embedding_is_left_out(unet: Unet) -> None:
    x, given = drawn(1, 16, 4, 4), inputs(1)
    del given["guidance"]
    found = unet(x, torch.tensor([0.5]), given)
    tensors = {name: t for name, t in tiny_flux.transformer().items() if not name.startswith("guidance_in")}
    module = tiny_flux.reference(tensors)
    out = module(
        packed(x),
        given["context"],
        given["pooled"],
        torch.tensor([0.5]),
        ids(x),
        torch.zeros(7, 3),
        return_dict=False,
    )[0]
    assert psnr(found, FluxPipeline._unpack_latents(out, 32, 32, 8)) >= 110


def offsets(method: str, *sizes: tuple[int, int]) -> list[list[int]]:
    x, referred = torch.zeros(1, 16, 8, 8), [torch.zeros(1, 16, *size) for size in sizes]
    return [offset.tolist() for offset in flux_transformer._offsets(x, referred, method)]


def test_several_references_lie_side_by_side_or_apart() -> None:
    assert offsets("index", (8, 8), (8, 8)) == [[1, 0, 0], [2, 0, 0]]
    assert offsets("offset", (8, 8), (8, 8)) == [[1, 0, 0], [1, 4, 0]]
    assert offsets("offset", (8, 4), (8, 4), (8, 4)) == [[1, 0, 0], [1, 0, 2], [1, 0, 4]]
    assert offsets("uxo/uno", (8, 4), (6, 6)) == [[0, 4, 4], [0, 8, 6]]


def test_names_outside_the_network_have_no_place() -> None:
    names, cuts = flux_transformer.diffusers_names(["img_in.weight", "odd.weight", "double_blocks.0.odd.weight"])
    assert names == {"x_embedder.weight": "img_in.weight"} and not cuts


def test_factors_of_8_bit_matrices_go_to_every_part_of_a_fused_one() -> None:
    names, cuts = flux_transformer.diffusers_names(["single_blocks.1.linear1.weight_scale", "img_in.scale_input"])
    parts = ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")
    assert [*names] == [f"single_transformer_blocks.1.{part}.scale_weight" for part in parts] and not cuts


def test_a_cut_may_be_of_several_parts_or_swapped() -> None:
    rows = torch.arange(14.0)[:, None]
    assert Cut(3, 7, count=4).of(rows).flatten().tolist() == [*range(6, 14)] and Cut(3, 7, count=4).shape((14, 1)) == (
        8,
        1,
    )
    assert Cut(is_swapped=True).of(rows).flatten().tolist() == [*range(7, 14), *range(7)]


def test_it_takes_more_memory_for_more_cells() -> None:
    config = flux_transformer.config(
        {n: tuple(t.shape) for n, t in tiny_flux.converted(tiny_flux.transformer()).items()}
    )
    small, large = (flux_transformer.working(config, 2, cells, 4) for cells in (64, 4096))
    assert 0 < small < large
    assert ldm_unet.DIFFUSERS not in tiny_flux.transformer()
