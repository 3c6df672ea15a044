import pytest
import torch

from engine.values import pack, unpack
from nodes.guiders import cfg_guider
from nodes.model_guidance import (
    adaptive_projected_guidance,
    cfg_norm,
    cfg_zero_star,
    epsilon_scaling,
    fresca,
    mahiro,
    perturbed_attention_guidance,
    self_attention_guidance,
    tangential_damping,
    video_linear_guidance,
    video_triangle_guidance,
)
from nodes.model_options import rescale_cfg
from tests.nodes.test_model_patches import MODEL, NEGATIVE, POSITIVE, sampled

CHANGES = {
    "APG": adaptive_projected_guidance(MODEL, 0.5),
    "TCFG": tangential_damping(MODEL).patched_model,
    "CFGZeroStar": cfg_zero_star(MODEL).patched_model,
    "CFGNorm": cfg_norm(MODEL).patched_model,
    "Mahiro": mahiro(MODEL).patched_model,
    "FreSca": fresca(MODEL, 1.0, 1.5, 2),
    "Epsilon Scaling": epsilon_scaling(MODEL, 1.02),
    "PerturbedAttentionGuidance": perturbed_attention_guidance(MODEL),
    "SelfAttentionGuidance": self_attention_guidance(MODEL),
}


@pytest.fixture(scope="module")
def plain(ctx):
    return sampled(ctx, MODEL)


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_reaches_the_picture(ctx, plain, name):
    found = sampled(ctx, CHANGES[name])
    assert found.isfinite().all() and not torch.equal(found, plain)
    assert torch.equal(sampled(ctx, unpack(pack(CHANGES[name]))), found)


@pytest.mark.parametrize("name", CHANGES)
def test_changes_go_with_others(ctx, name):
    both = rescale_cfg(CHANGES[name])
    assert not torch.equal(sampled(ctx, both), sampled(ctx, CHANGES[name]))


def test_scales_of_zero_change_nothing(ctx, plain):
    assert torch.equal(sampled(ctx, perturbed_attention_guidance(MODEL, 0.0)), plain)
    assert torch.equal(sampled(ctx, self_attention_guidance(MODEL, 0.0)), plain)


def test_perturbed_attention_needs_no_negative_side(ctx):
    alone, plain = (sampled(ctx, model, cfg=1.0) for model in (perturbed_attention_guidance(MODEL), MODEL))
    assert not torch.equal(alone, plain)


def test_two_corrections_add_up(ctx):
    both = self_attention_guidance(perturbed_attention_guidance(MODEL))
    assert not torch.equal(sampled(ctx, both), sampled(ctx, perturbed_attention_guidance(MODEL)))


def test_guidance_of_videos_is_plain_for_the_last_of_one(ctx, plain):
    assert not torch.equal(sampled(ctx, video_linear_guidance(MODEL)), plain)
    torch.testing.assert_close(sampled(ctx, video_triangle_guidance(MODEL, 2.5)), plain, atol=1e-3, rtol=1e-3)


def test_a_guider_with_a_changed_model_travels():
    guider = cfg_guider(CHANGES["APG"], POSITIVE, NEGATIVE, 2.5)
    assert unpack(pack(guider)).model == guider.model
