import pytest
import torch

from engine.errors import ModelError
from nodes.loaders_apart import load_unet
from nodes.merge import model_merge_simple
from nodes.merge_transformers import model_merge_flux1, model_merge_sd3_2b, model_merge_sd35_large
from nodes.models.service import pool
from tests.nodes.calls import model_context
from tests.nodes.models import tiny, tiny_flux, tiny_sd3


@pytest.fixture(scope="module")
def ctx(tmp_path_factory):
    folder = tmp_path_factory.mktemp("merged") / "diffusion_models"
    for name, made, shapes in (("flux", tiny_flux, tiny_flux.shapes()), ("sd3", tiny_sd3, tiny_sd3.shapes())):
        tiny.write(folder / f"{name}.safetensors", made.transformer(), {})
        tiny.write(folder / f"{name}2.safetensors", tiny_flux.drawn(shapes, 2), {})
    return model_context(folder.parent)


def loaded(ctx, *names):
    return [load_unet(ctx, f"{name}.safetensors", "default") for name in names]


def tensors(ctx, model):
    return ctx.use(pool).unet(model).module.state_dict()


def test_blocks_of_flux_have_ratios_of_their_own(ctx):
    models = loaded(ctx, "flux", "flux2")
    first, second = (tensors(ctx, model) for model in models)
    found = tensors(ctx, model_merge_flux1(ctx, *models, **{"double_blocks.1.": 0.25, "single_blocks.0.": 0.0}))
    for name, tensor in found.items():
        ratio = {"transformer_blocks.1": 0.25, "single_transformer_blocks.0": 0.0}.get(
            ".".join(name.split(".")[:2]), 1.0
        )
        torch.testing.assert_close(tensor, first[name] * ratio + second[name] * (1 - ratio))


@pytest.mark.parametrize("merge", [model_merge_sd3_2b, model_merge_sd35_large])
def test_blocks_of_sd3_have_ratios_of_their_own(ctx, merge):
    models = loaded(ctx, "sd3", "sd32")
    first, second = (tensors(ctx, model) for model in models)
    found = tensors(ctx, merge(ctx, *models, **{"joint_blocks.0.": 0.5, "pos_embed.": 0.0}))
    for name, tensor in found.items():
        ratio = 0.5 if name.startswith("transformer_blocks.0.") else 1.0
        torch.testing.assert_close(tensor, first[name] * ratio + second[name] * (1 - ratio))


def test_scaled_8_bit_weights_are_mixed_as_what_they_mean(ctx):
    folder, plain, scaled = ctx.folders.models[0] / "diffusion_models", {}, {}
    for name, tensor in tiny_flux.transformer().items():
        scaled[name] = plain[name] = tensor
        if tensor.ndim == 2 and "blocks" in name:
            factor = tensor.abs().max() / 448
            scaled[name] = (tensor / factor).to(torch.float8_e4m3fn)
            scaled[f"{name.removesuffix('weight')}scale_weight"] = factor
            plain[name] = scaled[name].float() * factor
    tiny.write(folder / "scaled.safetensors", scaled, {})
    tiny.write(folder / "plain.safetensors", plain, {})
    other, *models = loaded(ctx, "flux2", "scaled", "plain")
    for pairs in ([(model, other) for model in models], [(other, model) for model in models]):
        ours, theirs = (tensors(ctx, model_merge_simple(ctx, *pair, 0.5)) for pair in pairs)
        for name, tensor in theirs.items():
            factor = ours.get(f"{name.removesuffix('weight')}scale_weight", torch.ones(()))
            torch.testing.assert_close(ours[name].float() * factor, tensor.float(), rtol=1e-2, atol=1e-2)


def test_other_families_are_refused(ctx):
    with pytest.raises(ModelError, match="can't be merged"):
        model_merge_simple(ctx, *loaded(ctx, "flux", "sd3"), 0.5)
