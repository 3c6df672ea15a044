import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nodes.recipes import FileRef, Model
from nodes.sampling.noise_levels import stable_diffusion
from nodes.sigmas_change import (
    extend_intermediate_sigmas,
    flip_sigmas,
    sampling_percent_to_sigma,
    set_first_sigma,
    split_sigmas,
    split_sigmas_denoise,
)

MODEL = Model(FileRef("checkpoints", "tiny"))
SIGMAS = torch.tensor([8.0, 4.0, 2.0, 1.0, 0.0])


def test_both_parts_know_the_level_between():
    high, low = split_sigmas(SIGMAS, 1)
    assert (high.tolist(), low.tolist()) == ([8, 4], [4, 2, 1, 0])


def test_a_split_beyond_the_end_leaves_nothing():
    high, low = split_sigmas(SIGMAS, 9)
    assert torch.equal(high, SIGMAS) and len(low) == 0


@given(st.integers(0, 20), st.integers(0, 25))
def test_parts_make_the_whole(count, step):
    sigmas = torch.linspace(9, 0, count + 1)
    high, low = split_sigmas(sigmas, step)
    assert torch.equal(torch.cat([high, low[1:]]), sigmas)


@pytest.mark.parametrize(("denoise", "steps"), [(1.0, 0), (0.5, 2), (0.25, 3), (0.0, 4)])
def test_a_split_by_denoise_counts_from_the_end(denoise, steps):
    for part, same in zip(split_sigmas_denoise(SIGMAS, denoise), split_sigmas(SIGMAS, steps), strict=True):
        assert torch.equal(part, same)


def test_flipping_begins_above_zero():
    assert flip_sigmas(SIGMAS).tolist() == pytest.approx([1e-4, 1, 2, 4, 8])
    assert flip_sigmas(SIGMAS[:3]).tolist() == [2, 4, 8]
    assert len(flip_sigmas(torch.empty(0))) == 0
    assert SIGMAS[-1] == 0


def test_the_first_level_is_set_in_a_copy():
    assert set_first_sigma(SIGMAS, 20.0).tolist() == [20, 4, 2, 1, 0]
    assert SIGMAS[0] == 8
    assert len(set_first_sigma(torch.empty(0), 20.0)) == 0


@pytest.mark.parametrize(("spacing", "way"), [("linear", 0.5), ("cosine", 0.5**0.5), ("sine", 0.5)])
def test_steps_between_two_levels_are_divided(spacing, way):
    result = extend_intermediate_sigmas(SIGMAS, 2, 4.0, 2.0, spacing=spacing)
    assert result.tolist() == pytest.approx([8, 4, 4 - 2 * way, 2, 2 - way, 1, 0])


def test_a_start_of_minus_one_has_no_limit():
    assert extend_intermediate_sigmas(SIGMAS, 2, -1.0, 3.0, spacing="linear").tolist() == [8, 6, 4, 3, 2, 1, 0]
    assert torch.equal(extend_intermediate_sigmas(SIGMAS, 1, -1.0, 0.0, spacing="linear"), SIGMAS)


@pytest.mark.parametrize(
    ("percent", "actual", "expected"),
    [(0.0, False, 999999999.9), (0.0, True, 14.6146), (1.0, False, 0.0), (1.0, True, 0.0291675), (0.5, False, 1.6156)],
)
def test_a_percentage_is_a_level(ctx, percent, actual, expected):
    found = sampling_percent_to_sigma(ctx, MODEL, percent, actual).sigma_value
    assert found == pytest.approx(expected, rel=1e-3)
    if 0 < percent < 1:
        assert found == stable_diffusion().sigma_at(percent)
