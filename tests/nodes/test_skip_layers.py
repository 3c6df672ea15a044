"""Guidance by blocks that are left out, against what diffusers predicts without them."""

import pytest
import torch

from nodes.latent import empty_sd3_latent_image
from nodes.loaders import load_checkpoint
from nodes.models.families import flux_transformer
from nodes.models.service import pool
from nodes.models.skipping import Skip
from nodes.sampler import ksampler
from nodes.skip_layers import skip_layer_guidance_dit, skip_layer_guidance_dit_simple, skip_layer_guidance_sd3
from nodes.text import clip_text_encode
from tests.nodes.calls import model_context
from tests.nodes.models import tiny, tiny_flux, tiny_sd3


@pytest.fixture(scope="module")
def ctx(tmp_path_factory):
    folder = tmp_path_factory.mktemp("skip") / "checkpoints"
    tiny.write(folder / "sd3.safetensors", tiny_sd3.checkpoint(), {})
    tiny.write(folder / "flux.safetensors", tiny_flux.checkpoint(), {})
    return model_context(folder.parent)


@pytest.fixture(scope="module")
def loaded(ctx):
    return load_checkpoint(ctx, "sd3.safetensors")


@pytest.fixture(scope="module")
def prompts(ctx, loaded):
    return clip_text_encode(ctx, "a cat", loaded.CLIP), clip_text_encode(ctx, "", loaded.CLIP)


def sampled(ctx, model, positive, negative, cfg=3.0):
    return ksampler(
        ctx, model, seed=5, steps=3, cfg=cfg, sampler_name="euler", scheduler="simple", positive=positive,
        negative=negative, latent_image=empty_sd3_latent_image(64, 64, 1),
    ).samples  # fmt: skip


SIGMAS = [3 * t / (1 + 2 * t) for t in (1.0, 0.667, 0.334)]


@torch.no_grad()
def looped(positive, negative, rule):
    """Euler's method over ``rule(step, predict)`` in x0, where ``predict(negative or positive, skip)``."""
    module, x = tiny_sd3.reference(tiny_sd3.transformer()), torch.randn(1, 16, 8, 8, generator=torch.manual_seed(5))
    for step, (sigma, below) in enumerate(zip(SIGMAS, [*SIGMAS[1:], 0.0], strict=True)):

        def predict(side, skip=None, x=x, sigma=sigma):
            cond = (positive, negative)[side].entries[0]
            times = torch.tensor([sigma * 1000])
            return x - module(x, cond.context, cond.pooled, times, skip_layers=skip, return_dict=False)[0] * sigma

        x = x + (x - rule(step, predict)) / sigma * (below - sigma)
    return x / 1.5305 + 0.0609


def guided(predict, scale=3.0):
    return predict(1) + (predict(0) - predict(1)) * scale


def test_it_keeps_away_from_what_is_predicted_without_blocks(ctx, loaded, prompts):
    model = skip_layer_guidance_sd3(loaded.MODEL, "1", 2.0, 0.0, 0.5)

    def rule(step, predict):
        return guided(predict) + ((predict(0) - predict(0, [1])) * 2.0 if step < 2 else 0)  # 0.75 and 0.5 are not past

    found = sampled(ctx, model, *prompts)
    torch.testing.assert_close(found, looped(*prompts, rule), rtol=1e-3, atol=1e-3)
    assert not torch.allclose(found, sampled(ctx, loaded.MODEL, *prompts), atol=1e-2)


def test_the_spread_may_be_pulled_back(ctx, loaded, prompts):
    model = skip_layer_guidance_dit(loaded.MODEL, "1, 2", "", 2.0, 0.0, 1.0, 0.7)

    def rule(step, predict):
        strong = guided(predict) + (predict(0) - predict(0, [1, 2])) * 2.0
        return strong * (0.7 * predict(0).std() / strong.std() + 0.3)

    torch.testing.assert_close(sampled(ctx, model, *prompts), looped(*prompts, rule), rtol=1e-3, atol=1e-3)


def test_blocks_may_be_left_out_for_the_negative_prompt(ctx, loaded, prompts):
    model = skip_layer_guidance_dit_simple(loaded.MODEL, "1", "7", 0.0, 1.0)

    def rule(step, predict):
        return predict(1, [1]) + (predict(0) - predict(1, [1])) * 3.0

    torch.testing.assert_close(sampled(ctx, model, *prompts), looped(*prompts, rule), rtol=1e-3, atol=1e-3)


def test_without_blocks_there_is_nothing_to_leave_out(loaded):
    assert skip_layer_guidance_sd3(loaded.MODEL, "none") is loaded.MODEL
    assert skip_layer_guidance_dit(loaded.MODEL, "", "", 3.0) is loaded.MODEL


@torch.no_grad()
def test_flux_hands_on_what_blocks_get_that_are_left_out(ctx):
    models = ctx.use(pool)
    unet = models.unet(load_checkpoint(ctx, "flux.safetensors").MODEL)
    x, time = torch.randn(1, 16, 4, 4), torch.tensor([0.5])
    inputs = {"context": torch.randn(1, 3, 32), "pooled": torch.randn(1, 32), "guidance": torch.tensor([3.5])}
    whole = unet(x, time, inputs)
    left_out = Skip((1, 9), (0, 2), 2.0, 0.0)
    found = unet(x, time, {**inputs, flux_transformer.SKIP: left_out})
    kept = {
        name.replace("single_blocks.1.", "single_blocks.0."): tensor
        for name, tensor in tiny_flux.transformer().items()
        if not name.startswith(("double_blocks.1.", "single_blocks.0.", "single_blocks.2."))
    }
    tokens, places = flux_transformer._patched(x)
    module = tiny_flux.reference(kept)
    out = module(tokens, inputs["context"], inputs["pooled"], time, places, torch.zeros(3, 3), inputs["guidance"])
    torch.testing.assert_close(found, flux_transformer._latents(out.sample, (4, 4)), rtol=1e-4, atol=1e-4)
    assert torch.equal(unet(x, time, inputs), whole)
