import json

import pytest
import torch

from nodes.sampling.noise_levels import stable_diffusion
from nodes.sampling.schedules import SCHEDULES
from nodes.sampling.solvers import SOLVERS
from nodes.sampling.steps import cut, run_sigmas, without_penultimate

LEVELS = stable_diffusion()
KARRAS = SCHEDULES["karras"]


@pytest.mark.reference
def test_runs_are_the_references(reference):
    for run in json.loads((reference / "parity/golden/sigmas.json").read_text())["ksampler"]:
        drops = SOLVERS[run["sampler"]].drops_penultimate
        sigmas = run_sigmas(SCHEDULES[run["scheduler"]], LEVELS, run["steps"], run["denoise"], drops)
        torch.testing.assert_close(sigmas, torch.tensor(run["sigmas"]), rtol=1.2e-7, atol=0)


def test_partial_denoising_takes_the_tail_of_a_longer_schedule():
    assert torch.equal(run_sigmas(KARRAS, LEVELS, 10, 0.5), KARRAS(LEVELS, 20)[-11:])
    assert torch.equal(run_sigmas(KARRAS, LEVELS, 10, 0.37), KARRAS(LEVELS, 27)[-11:])


def test_nearly_full_denoising_is_full_and_none_is_empty():
    assert torch.equal(run_sigmas(KARRAS, LEVELS, 10, 0.99991), KARRAS(LEVELS, 10))
    assert len(run_sigmas(KARRAS, LEVELS, 10, 0.0)) == 0


def test_dropping_the_penultimate_keeps_the_number_of_steps():
    sigmas = run_sigmas(KARRAS, LEVELS, 10, 1.0, drops_penultimate=True)
    whole = KARRAS(LEVELS, 11)
    assert torch.equal(sigmas, torch.cat([whole[:-2], whole[-1:]]))
    assert torch.equal(sigmas, without_penultimate(whole))
    assert len(run_sigmas(KARRAS, LEVELS, 10, 0.6, drops_penultimate=True)) == 11


def test_two_stages_meet():
    whole = KARRAS(LEVELS, 10)
    first, second = cut(whole, 0, 4, leftover_noise=True), cut(whole, 4, 10_000)
    assert torch.equal(first, whole[:5])
    assert torch.equal(second, whole[4:])


def test_an_early_end_denoises_fully_and_leaves_the_schedule_alone():
    whole = KARRAS(LEVELS, 10)
    before = whole.clone()
    sigmas = cut(whole, 2, 4)
    assert sigmas.tolist() == [whole[2].item(), whole[3].item(), 0.0]
    assert torch.equal(whole, before)


@pytest.mark.parametrize(("start", "end"), [(10, None), (99, None), (4, 4), (6, 4)])
def test_a_start_beyond_the_end_leaves_nothing(start, end):
    assert len(cut(KARRAS(LEVELS, 10), start, end)) == 0
