from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.sampling.keyframes import Keyframe, Keyframes

LEVELS = [10.0, 8.0, 6.0, 4.0, 2.0]


def strengths(*frames, levels=LEVELS, first=10.0):
    found = Keyframes([Keyframe(*frame) for frame in frames], first)
    return [found.strength(level) for level in levels]


def test_without_frames_strength_is_one():
    assert strengths() == [1.0] * 5


@pytest.mark.parametrize("sigma", [inf, 10.0, 3.0])
def test_the_first_frame_counts_from_the_beginning_whenever_it_starts(sigma):
    assert strengths((0.5, sigma, 1)) == [0.5] * 5


def test_a_frame_counts_once_its_level_is_reached():
    assert strengths((0.1, inf, 1), (0.2, 6.0, 1), (0.3, 5.0, 1)) == [0.1, 0.1, 0.2, 0.3, 0.3]


def test_frames_that_ask_for_no_steps_are_passed_over():
    assert strengths((0.1, inf, 0), (0.2, 9.5, 0), (0.3, 9.0, 0)) == [0.1, 0.3, 0.3, 0.3, 0.3]


def test_a_frame_counts_for_the_steps_that_it_asks_for():
    assert strengths((0.1, 10.0, 1), (0.2, 9.5, 2), (0.3, 9.0, 1)) == [0.1, 0.2, 0.2, 0.3, 0.3]


def test_frames_above_what_is_sampled_ask_for_no_steps():
    frames = (0.1, inf, 1), (0.2, 9.0, 1), (0.3, 5.0, 1)
    assert strengths(*frames, levels=LEVELS[2:], first=6.0) == [0.2, 0.3, 0.3]


def test_a_level_that_is_asked_for_again_has_the_same_strength():
    frames = (0.1, 10.0, 1), (0.2, 10.0, 1), (0.3, 10.0, 1)
    assert strengths(*frames, levels=[10.0, 10.0, 10.0, 8.0, 8.0]) == [0.1, 0.1, 0.1, 0.2, 0.2]


@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(0, 12), st.integers(0, 3)), min_size=1, max_size=6))
def test_strengths_are_those_of_frames_in_their_order(frames):
    frames.sort(key=lambda frame: -frame[1])
    numbered = [(place, sigma, steps) for place, (_, sigma, steps) in enumerate(frames)]
    found = strengths(*numbered)
    assert found == sorted(found)
    assert all(place == 0 or frames[place][1] >= level for place, level in zip(found, LEVELS, strict=True))
