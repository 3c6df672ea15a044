import pytest
import torch

from nodes.packs.objects import to_foreign
from nodes.packs.objects.ksampler import KSampler
from nodes.recipes import Latent
from nodes.sampler import ksampler, ksampler_advanced
from nodes.sampling.noise import starting_noise
from tests.nodes.test_model_patches import MODEL, NEGATIVE, POSITIVE

LATENT = torch.ones(1, 4, 16, 16)
USUAL = {"steps": 4, "cfg": 2.5, "sampler_name": "dpm_2", "scheduler": "karras"}


@pytest.fixture
def sampled():
    """What foreign code makes of the latent."""
    sides = (to_foreign("CONDITIONING", POSITIVE), to_foreign("CONDITIONING", NEGATIVE))

    def run(denoise=1.0, options=None, **more):
        sampler = KSampler(to_foreign("MODEL", MODEL), 4, "cpu", "dpm_2", "karras", denoise, options)
        noise = starting_noise(3, LATENT.shape)
        return sampler.sample(noise, *sides, 2.5, latent_image=LATENT, seed=3, **more)

    return run


def ours(ctx, **changed):
    parts = {"seed": 3, "positive": POSITIVE, "negative": NEGATIVE, "latent_image": Latent(LATENT)}
    return ksampler(ctx, MODEL, **{**parts, **USUAL, **changed}).samples


def test_foreign_code_samples_as_our_node_does(ctx, sampled):
    assert torch.equal(sampled(), ours(ctx))
    assert torch.equal(sampled(0.5), ours(ctx, denoise=0.5))
    mask = torch.rand(1, 1, 16, 16)
    assert torch.equal(sampled(denoise_mask=mask), ours(ctx, latent_image=Latent(LATENT, mask[:, 0])))


def test_a_part_of_the_steps(ctx, sampled):
    expected = ksampler_advanced(
        ctx, MODEL, add_noise="enable", noise_seed=3, positive=POSITIVE, negative=NEGATIVE, latent_image=Latent(LATENT),
        start_at_step=1, end_at_step=3, return_with_leftover_noise="enable", **USUAL,
    ).samples  # fmt: skip
    assert torch.equal(sampled(start_step=1, last_step=3), expected)
    assert torch.equal(sampled(start_step=4), LATENT)


def test_functions_that_were_added_to_options_count(ctx, sampled):
    options = {"transformer_options": {}, "sampler_post_cfg_function": [lambda args: args["denoised"] * 0.5]}
    assert torch.equal(sampled(options={"transformer_options": {}}), ours(ctx))
    assert not torch.equal(sampled(options=options), ours(ctx))


def test_names_and_levels():
    sampler = KSampler(to_foreign("MODEL", MODEL), 4, sampler="none", scheduler="none")
    assert sampler.sampler in KSampler.SAMPLERS and sampler.scheduler in KSampler.SCHEDULERS
    assert len(sampler.sigmas) == 5 and sampler.sigmas[-1] == 0
