"""Sampling with given noise gives what our samplers give."""

from typing import Any

import pytest
import torch

from engine.context import Context
from nodes.packs import current
from nodes.packs.names.classes import node_class
from nodes.packs.names.comfy import sample, samplers
from nodes.packs.objects import from_foreign, to_foreign
from nodes.recipes import Clip, FileRef, Model

TINY = FileRef("checkpoints", "tiny")


@pytest.fixture
def given(folders: object, ctx: Context) -> Any:
    with current.running("pack", "Type", ctx):
        clip = to_foreign("CLIP", Clip(TINY))
        (positive,) = node_class("CLIPTextEncode").execute(clip, "a cat")
        (negative,) = node_class("CLIPTextEncode").execute(clip, "")
        yield to_foreign("MODEL", Model(TINY)), positive, negative, torch.zeros(1, 4, 4, 4)


def ours(given: Any, **options: Any) -> torch.Tensor:
    model, positive, negative, latent = given
    common = {"cfg": 4.0, "positive": positive, "negative": negative, "latent_image": {"samples": latent}}
    advanced = "start_at_step" in options
    (found,) = node_class("KSamplerAdvanced" if advanced else "KSampler").execute(model, **common, **options)
    return from_foreign("LATENT", found).samples  # type: ignore[no-any-return]


@pytest.mark.parametrize(("name", "denoise"), [("euler", 1.0), ("dpm_2", 1.0), ("euler", 0.5)])
def test_a_schedule_is_run_as_our_node_runs_it(given: Any, name: str, denoise: float) -> None:
    model, positive, negative, latent = given
    noise = sample.prepare_noise(latent, 7)
    found = sample.sample(model, noise, 2, 4.0, name, "karras", positive, negative, latent, denoise=denoise, seed=7)
    expected = ours(given, seed=7, steps=2, sampler_name=name, scheduler="karras", denoise=denoise)
    assert torch.equal(found, expected)


def test_some_steps_are_run_as_our_node_runs_them(given: Any) -> None:
    model, positive, negative, latent = given
    noise = sample.prepare_noise(latent, 7)
    common = (model, noise, 3, 4.0, "euler", "normal", positive, negative, latent)
    found = sample.sample(*common, start_step=1, last_step=2, force_full_denoise=True, seed=7)
    expected = ours(
        given, add_noise="enable", noise_seed=7, steps=3, sampler_name="euler", scheduler="normal", start_at_step=1,
        end_at_step=2, return_with_leftover_noise="disable",
    )  # fmt: skip
    assert torch.equal(found, expected)
    assert sample.sample(*common, start_step=3) is latent


def test_levels_and_solvers_may_be_asked_for_apart(given: Any) -> None:
    model, positive, negative, latent = given
    sigmas = samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", 2)
    noise, seen = sample.prepare_noise(latent, 7), []
    found = sample.sample_custom(
        model, noise, 4.0, samplers.sampler_object("euler"), sigmas, positive, negative, latent,
        callback=lambda step, x0, x, total: seen.append(step), seed=7,
    )  # fmt: skip
    assert torch.equal(found, ours(given, seed=7, steps=2, sampler_name="euler", scheduler="normal"))
    assert seen == [0, 1]


def test_noise_is_that_of_a_place_in_a_batch() -> None:
    latent = torch.zeros(1, 4, 2, 2)
    assert torch.equal(
        sample.prepare_noise(latent, 3, [1])[0], sample.prepare_noise(torch.zeros(2, 4, 2, 2), 3, [0, 1])[1]
    )
    assert sample.fix_empty_latent_channels(None, latent) is latent
