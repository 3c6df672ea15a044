import pytest
import torch

from nodes.packs.objects import to_foreign
from nodes.packs.objects.sampling import (
    KSampler,
    calculate_sigmas,
    fix_empty_latent_channels,
    ksampler,
    prepare_noise,
    sample,
    sample_custom,
    sampler_object,
)
from nodes.recipes import Latent
from nodes.sampler import ksampler as own
from nodes.sampler import ksampler_advanced
from nodes.sampling.noise import starting_noise
from nodes.sigmas import basic_scheduler
from tests.nodes.test_model_patches import MODEL, NEGATIVE, POSITIVE

LATENT = torch.ones(1, 4, 16, 16)
USUAL = {"steps": 4, "cfg": 2.5, "sampler_name": "dpmpp_2m", "scheduler": "karras"}


@pytest.fixture
def given():
    """What foreign code samples with."""
    sides = {"positive": to_foreign("CONDITIONING", POSITIVE), "negative": to_foreign("CONDITIONING", NEGATIVE)}
    return {"model": to_foreign("MODEL", MODEL), "noise": prepare_noise(LATENT, 3), **sides}


def ours(ctx, **changed):
    parts = {"seed": 3, "positive": POSITIVE, "negative": NEGATIVE, "latent_image": Latent(LATENT)}
    return own(ctx, MODEL, **{**parts, **USUAL, **changed}).samples


def test_foreign_code_samples_as_our_node_does(ctx, given):
    for denoise in (1.0, 0.5):
        found = sample(**given, **USUAL, latent_image=LATENT, denoise=denoise, seed=3)
        assert torch.equal(found, ours(ctx, denoise=denoise))
    mask = torch.rand(1, 1, 16, 16)
    found = sample(**given, **USUAL, latent_image=LATENT, noise_mask=mask, seed=3)
    assert torch.equal(found, ours(ctx, latent_image=Latent(LATENT, mask[:, 0])))


def test_a_part_of_the_steps(ctx, given):
    expected = ksampler_advanced(
        ctx, MODEL, add_noise="enable", noise_seed=3, positive=POSITIVE, negative=NEGATIVE, latent_image=Latent(LATENT),
        start_at_step=1, end_at_step=3, return_with_leftover_noise="enable", **USUAL,
    ).samples  # fmt: skip
    assert torch.equal(sample(**given, **USUAL, latent_image=LATENT, start_step=1, last_step=3, seed=3), expected)
    nothing = sample(**given, **USUAL, latent_image=LATENT, start_step=4, seed=3)
    assert torch.equal(nothing, LATENT)


def test_a_sampler_in_parts(ctx, given):
    run = KSampler(given["model"], 4, "cpu", "dpm_2", "normal", 1.0, model_options=given["model"].model_options)
    assert len(run.sigmas) == 5
    plain = {name: given[name] for name in ("noise", "positive", "negative")}
    found = run.sample(**plain, cfg=2.5, latent_image=LATENT, force_full_denoise=True, seed=3)
    assert torch.equal(found, ours(ctx, sampler_name="dpm_2", scheduler="normal"))
    levels = basic_scheduler(ctx, MODEL, scheduler="karras", steps=4)
    assert torch.equal(calculate_sigmas(given["model"].get_model_object("model_sampling"), "karras", 4), levels)
    custom = sample_custom(**given, cfg=2.5, sampler=sampler_object("dpmpp_2m"), sigmas=levels, latent_image=LATENT)
    assert torch.equal(custom, ours(ctx))
    assert ksampler("euler_ancestral", {"eta": 0.5}).extra_options == {"eta": 0.5}


def test_functions_that_were_added_to_options_count(ctx, given):
    options = {**given["model"].model_options, "sampler_post_cfg_function": [lambda args: args["denoised"] * 0.5]}
    run = KSampler(given["model"], 4, "cpu", "dpmpp_2m", "karras", 1.0, model_options=options)
    plain = {name: given[name] for name in ("noise", "positive", "negative")}
    assert not torch.equal(run.sample(**plain, cfg=2.5, latent_image=LATENT, seed=3), ours(ctx))


def test_noise_and_empty_latents():
    assert torch.equal(prepare_noise(LATENT, 3), starting_noise(3, LATENT.shape))
    places = torch.zeros(2, 4, 8, 8)
    assert torch.equal(prepare_noise(places, 3, [4, 1]), starting_noise(3, places.shape, (4, 1)))
    model = to_foreign("MODEL", MODEL)
    assert fix_empty_latent_channels(model, torch.zeros(2, 16, 8, 8)).shape == (2, 4, 8, 8)
    assert fix_empty_latent_channels(model, LATENT) is LATENT
