"""Stable Diffusion 3 from file to latent, against a loop of a few lines over the transformer of diffusers."""

import math

import pytest
import torch

from engine.errors import ModelError
from nodes.latent import empty_sd3_latent_image
from nodes.loaders import load_checkpoint, load_lora_model_only
from nodes.loaders_apart import load_clip, load_three_clips, load_two_clips
from nodes.model_options import model_sampling_sd3
from nodes.recipes import Latent
from nodes.sampler import ksampler
from nodes.sd3 import clip_text_encode_sd3, t5_tokenizer_options
from nodes.text import clip_text_encode
from tests.nodes.calls import model_context
from tests.nodes.models import tiny, tiny_flux, tiny_sd3


@pytest.fixture(scope="module")
def ctx(tmp_path_factory):
    found = model_context(tiny_sd3.folder(tmp_path_factory.mktemp("sd3")))
    found.said = []
    found.warn = found.said.append
    return found


@pytest.fixture(scope="module")
def loaded(ctx):
    return load_checkpoint(ctx, "sd3.safetensors")


def sampled(ctx, model, positive, negative, latent, **settings):
    chosen = {"seed": 5, "steps": 4, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", **settings}
    return ksampler(ctx, model, positive=positive, negative=negative, latent_image=latent, **chosen).samples


@torch.no_grad()
def looped(positive, negative, x, sigmas, scale=3.0, tensors=None):
    """Euler's method under guidance over what diffusers predicts."""
    module = tiny_sd3.reference(tensors or tiny_sd3.transformer())

    def predicted(cond, sigma):
        context, pooled = cond.context.expand(len(x), -1, -1), cond.pooled.expand(len(x), -1)
        return module(x, context, pooled, torch.full((len(x),), sigma * 1000), return_dict=False)[0]

    for sigma, below in zip(sigmas, [*sigmas[1:], 0.0], strict=True):
        up, down = predicted(positive.entries[0], sigma), predicted(negative.entries[0], sigma)
        x = x + (down + (up - down) * scale) * (below - sigma)
    return x / 1.5305 + 0.0609


def noise(batch=1):
    return torch.randn(batch, 16, 8, 8, generator=torch.manual_seed(5))


def simple(steps, shift=3.0):
    t = [1 - int(step * 1000 / steps) / 1000 for step in range(steps)]
    return [shift * each / (1 + (shift - 1) * each) for each in t]


def psnr(found, expected):
    error = (found - expected).square().mean().clamp(min=1e-30)
    return 10 * math.log10(expected.abs().max() ** 2 / error)


@pytest.fixture(scope="module")
def prompts(ctx, loaded):
    return clip_text_encode(ctx, "a (cat:1.2)", loaded.CLIP), clip_text_encode(ctx, "", loaded.CLIP)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_run_is_eulers_loop_over_diffusers(ctx, loaded, prompts, batch):
    found = sampled(ctx, loaded.MODEL, *prompts, empty_sd3_latent_image(64, 64, batch))
    assert psnr(found, looped(*prompts, noise(batch), simple(4))) >= 110


def test_the_levels_may_be_shifted_otherwise(ctx, loaded, prompts):
    found = sampled(ctx, model_sampling_sd3(loaded.MODEL, 6.0), *prompts, empty_sd3_latent_image(64, 64, 1), steps=3)
    assert psnr(found, looped(*prompts, noise(), simple(3, 6.0))) >= 110


def test_a_picture_may_be_kept_in_part(ctx, loaded, prompts):
    start = torch.randn(1, 16, 8, 8, generator=torch.manual_seed(9))
    found = sampled(ctx, loaded.MODEL, *prompts, Latent(start), steps=3, denoise=0.5)
    sigmas = simple(6)[3:]
    x = (1 - sigmas[0]) * (start - 0.0609) * 1.5305 + sigmas[0] * noise()
    assert psnr(found, looped(*prompts, x, sigmas)) >= 110


def test_encoders_from_files_of_their_own_are_those_of_the_checkpoint(ctx, loaded):
    clip = load_three_clips(
        ctx, clip_name1="t5.safetensors", clip_name2="clip_g.safetensors", clip_name3="clip_l.safetensors"
    )
    apart, whole = (clip_text_encode(ctx, "a cat", each).entries[0] for each in (clip, loaded.CLIP))
    assert torch.equal(apart.context, whole.context) and torch.equal(apart.pooled, whole.pooled)
    assert whole.context.shape == (1, 154, tiny_sd3.CONTEXT) and whole.pooled.shape == (1, tiny_sd3.POOLED)


def test_some_encoders_are_enough(ctx, loaded):
    whole = clip_text_encode(ctx, "a cat", loaded.CLIP).entries[0]
    t5 = clip_text_encode(ctx, "a cat", load_clip(ctx, "t5.safetensors", "sd3")).entries[0]
    assert torch.equal(t5.context, whole.context[:, 77:]) and not t5.pooled.any()
    pair = load_two_clips(ctx, "clip_g.safetensors", "clip_l.safetensors", "sd3")
    clips = clip_text_encode_sd3(ctx, pair, clip_l="a cat", clip_g="a cat", t5xxl="x", empty_padding="none").entries[0]
    assert torch.equal(clips.context[..., :64], whole.context[:, :77]) and torch.equal(clips.pooled, whole.pooled)


def test_each_encoder_may_have_a_prompt_of_its_own_or_none(ctx, loaded):
    def encoded(l, g, t5, padding):
        given = {"clip_l": l, "clip_g": g, "t5xxl": t5, "empty_padding": padding}
        return clip_text_encode_sd3(ctx, loaded.CLIP, **given).entries[0]

    cat, dog, empty = (clip_text_encode(ctx, text, loaded.CLIP).entries[0] for text in ("a cat", "a dog", ""))
    mixed = encoded("a cat", "a dog", "a cat", "none")
    assert torch.equal(mixed.context[:, :77, :32], cat.context[:, :77, :32])
    assert torch.equal(mixed.context[:, :77, 32:], dog.context[:, :77, 32:])
    assert torch.equal(mixed.context[:, 77:], cat.context[:, 77:])
    assert torch.equal(encoded("a cat", "a cat", "", "none").context[..., :64], cat.context[:, :77])
    assert torch.equal(encoded("", "", "a cat", "none").context, cat.context[:, 77:])
    filled = encoded("", "", "a cat", "empty_prompt")
    assert torch.equal(filled.context, torch.cat([empty.context[:, :77], cat.context[:, 77:]], 1))
    assert torch.equal(encoded("a cat", "", "a cat", "none").context[:, :77, 32:], empty.context[:, :77, 32:])


def test_t5_may_be_filled_otherwise(ctx, loaded):
    clip = t5_tokenizer_options(loaded.CLIP, 0, 20)
    assert clip_text_encode(ctx, "a cat", clip).entries[0].context.shape[1] == 77 + 20


def test_a_lora_of_fused_matrices(ctx, loaded, prompts):
    draw, width, tensors = torch.Generator().manual_seed(1), tiny_sd3.WIDTH, tiny_sd3.transformer()
    up, down = torch.randn(3 * width, 2, generator=draw) * 0.3, torch.randn(2, width, generator=draw) * 0.3
    name = "lora_unet_joint_blocks_0_x_block_attn_qkv"
    content = {f"{name}.lora_up.weight": up, f"{name}.lora_down.weight": down}
    tiny.write(ctx.folders.models[0] / "loras" / "qkv.safetensors", content, {})
    tensors["joint_blocks.0.x_block.attn.qkv.weight"] += up @ down
    found = sampled(
        ctx, load_lora_model_only(ctx, loaded.MODEL, "qkv.safetensors", 1.0), *prompts, empty_sd3_latent_image(64, 64)
    )
    assert psnr(found, looped(*prompts, noise(), simple(4), tensors=tensors)) >= 110


def test_a_prompt_for_flux_is_refused(ctx, loaded):
    tiny.write(ctx.folders.models[0] / "checkpoints" / "flux.safetensors", tiny_flux.checkpoint(), {})
    other = clip_text_encode(ctx, "a cat", load_checkpoint(ctx, "flux.safetensors").CLIP)
    with pytest.raises(ModelError, match="encoded for another family"):
        sampled(ctx, loaded.MODEL, other, other, empty_sd3_latent_image(64, 64, 1))
