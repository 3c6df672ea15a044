import torch

from engine.values import pack, unpack
from nodes.guiders import random_noise
from nodes.latent_operations import (
    latent_apply_operation,
    latent_apply_operation_cfg,
    latent_operation_sharpen,
    latent_operation_tonemap_reinhard,
)
from nodes.recipes import Cond, Conditioning, FileRef, Latent, Model, classifier_free
from nodes.sampler import sampler_custom_advanced
from nodes.samplers import ksampler_select
from nodes.sigmas import basic_scheduler

MODEL = Model(FileRef("checkpoints", "tiny"))
LATENT = Latent(torch.randn(2, 4, 12, 12, generator=torch.Generator().manual_seed(0)), space="sd1")


def prompt(seed):
    return Conditioning((Cond(torch.randn(1, 7, 32, generator=torch.Generator().manual_seed(seed))),))


def test_tone_mapping_shortens_long_vectors_more_and_keeps_directions():
    found = latent_apply_operation(LATENT, latent_operation_tonemap_reinhard(1.0))
    before, after = (x.samples.norm(dim=1) for x in (LATENT, found))
    order = before.flatten().argsort()
    shares = (after / before).flatten()[order]
    assert (after < before).all() and shares[-1] < shares[0] and found.space == "sd1"
    torch.testing.assert_close(torch.cosine_similarity(found.samples, LATENT.samples, dim=1), torch.ones(2, 12, 12))
    gentle = latent_apply_operation(LATENT, latent_operation_tonemap_reinhard(100.0)).samples
    torch.testing.assert_close(gentle, LATENT.samples, rtol=0.02, atol=0)


def test_sharpening_leaves_what_is_even_and_strengthens_an_edge():
    edge = torch.zeros(1, 4, 12, 12)
    edge[..., 6:] = 1
    found = latent_apply_operation(Latent(edge), latent_operation_sharpen(3, 1.0, 0.1)).samples
    assert found.max() > 1.05 and found.min() < -0.05
    torch.testing.assert_close(found[..., 0], edge[..., 0])
    small = Latent(torch.ones(1, 4, 2, 2))
    torch.testing.assert_close(latent_apply_operation(small, latent_operation_sharpen(9)).samples, small.samples)
    assert torch.equal(latent_apply_operation(LATENT, latent_operation_sharpen(alpha=0.0)).samples, LATENT.samples)


def sampled(ctx, model, cfg=2.5):
    guider = classifier_free(model, prompt(1), prompt(2), cfg)
    sigmas = basic_scheduler(ctx, model, scheduler="normal", steps=2)
    empty = Latent(torch.zeros(1, 4, 8, 8))
    return sampler_custom_advanced(
        ctx, random_noise(3), guider, ksampler_select(sampler_name="euler"), sigmas, empty
    ).output.samples


def test_an_operation_works_on_guidance_and_travels_as_a_value(ctx):
    operation = latent_operation_tonemap_reinhard(1.0)
    model = latent_apply_operation_cfg(MODEL, operation)
    assert unpack(pack(model)) == model
    assert not torch.allclose(sampled(ctx, model), sampled(ctx, MODEL))
    nothing = latent_apply_operation_cfg(MODEL, latent_operation_sharpen(alpha=0.0))
    torch.testing.assert_close(sampled(ctx, nothing), sampled(ctx, MODEL))
