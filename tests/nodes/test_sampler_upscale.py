import pytest
import torch

from engine.errors import InputError
from engine.values import pack, unpack
from nodes.conditioning import conditioning_set_mask
from nodes.recipes import Latent, Sampler
from nodes.sampler import sampler_custom
from nodes.sampler_upscale import sampler_lcm_upscale
from nodes.samplers import ksampler_select
from nodes.sigmas import basic_scheduler
from tests.nodes.test_sampler import MODEL, NEGATIVE, POSITIVE


def sampled(ctx, sampler, latent=None, positive=POSITIVE):
    sigmas = basic_scheduler(ctx, MODEL, scheduler="normal", steps=3)
    parts = {"positive": positive, "negative": NEGATIVE, "sampler": sampler, "sigmas": sigmas}
    latent = latent or Latent(torch.zeros(1, 4, 8, 12))
    return sampler_custom(ctx, MODEL, True, 3, 2.5, latent_image=latent, **parts)


@pytest.mark.parametrize("method", ["bislerp", "nearest-exact", "bilinear", "area", "bicubic"])
def test_a_latent_grows(ctx, method):
    sampler = sampler_lcm_upscale(1.5, 1, upscale_method=method)
    output, denoised = sampled(ctx, unpack(pack(sampler)))
    assert output.samples.shape == denoised.samples.shape == (1, 4, 12, 18)
    assert output.samples.isfinite().all() and output.samples.std() > 0


def test_without_growth_it_is_lcm(ctx):
    found = sampled(ctx, sampler_lcm_upscale(upscale_method="bislerp")).output.samples
    assert torch.equal(found, sampled(ctx, ksampler_select(sampler_name="lcm")).output.samples)


def test_masks_of_prompts_grow_too(ctx):
    sampler = sampler_lcm_upscale(2.0, 1, upscale_method="nearest-exact")
    whole = conditioning_set_mask(POSITIVE, torch.ones(1, 8, 12), set_cond_area="default")
    found = sampled(ctx, sampler, positive=whole).output.samples
    torch.testing.assert_close(found, sampled(ctx, sampler).output.samples)


def test_a_noise_mask_is_refused(ctx):
    latent = Latent(torch.zeros(1, 4, 8, 12), torch.ones(1, 8, 12))
    with pytest.raises(InputError, match="can't follow") as raised:
        sampled(ctx, sampler_lcm_upscale(2.0, upscale_method="area"), latent)
    assert raised.value.input == "sampler" and raised.value.got == "a noise mask"


def test_its_settings_are_as_they_are_given():
    settings = {"scale_ratio": 2.0, "scale_steps": 3, "upscale_method": "area"}
    assert sampler_lcm_upscale(2.0, 3, upscale_method="area") == Sampler("lcm_upscale", settings)
