from math import inf

import pytest
import torch

from nodes.sampling.guidance import PARTS
from nodes.sampling.seam import Guided
from nodes.sampling.step_cache import CachedDenoiser, StepCache, cached


def x(value, size=1):
    return torch.full((size, 4), float(value))


class Run:
    """Asks a cache for v(x) = 2 x + 10 (so k is 2) at falling levels, and keeps which levels were predicted."""

    def __init__(self, threshold=0.5, first=inf, last=0.0):
        self.told, self.predicted = [], []
        self.cache = StepCache(threshold, first, last, self.told.append)

    def at(self, level, value, who="one", size=1):
        def predict():
            self.predicted.append((level, who))
            return 2 * x(value, size) + 10

        return self.cache.made(x(value, size), level, who, predict)

    def levels(self, *values):
        return [self.at(-place, value).flatten()[0].item() for place, value in enumerate(values)]


def test_steps_are_made_of_the_last_prediction_until_it_should_have_changed():
    run = Run(threshold=0.5, last=-inf)
    found = run.levels(0, 1, 2, 3, 4, 5)
    # v at 1 is 12 and k is 2: each step should change it by 2 / 12, and the third would make it 0.5
    assert [-level for level, _ in run.predicted] == [0, 1, 4]
    assert found == [10, 12, 2 + 11, 3 + 11, 18, 5 + 14]


def test_without_two_predictions_nothing_is_reused():
    run = Run(threshold=100.0, last=-inf)
    run.levels(0, 1)
    assert len(run.predicted) == 2


@pytest.mark.parametrize(("threshold", "predicted"), [(0.0, 6), (1e9, 2)])
def test_the_threshold_says_how_often(threshold, predicted):
    run = Run(threshold, last=-inf)
    run.levels(0, 1, 2, 3, 4, 5)
    assert len(run.predicted) == predicted


def test_outside_of_its_range_everything_is_predicted():
    run = Run(threshold=1e9, first=-2.5, last=-3.5)
    run.levels(0, 1, 2, 3, 4, 5)
    assert [-level for level, _ in run.predicted] == [0, 1, 2, 4, 5]


def test_all_who_ask_at_a_level_go_by_the_first_and_have_their_own():
    run = Run(threshold=1e9, last=-inf)
    for level, value in ((3.0, 0), (2.0, 1), (1.0, 2)):
        found = [run.at(level, value, "one"), run.at(level, 5 * value, "other")]
    assert run.predicted == [(3.0, "one"), (3.0, "other"), (2.0, "one"), (2.0, "other")]
    assert [each[0, 0].item() for each in found] == [2 + 11, 10 + 15]
    run.at(1.0, 2, "new")
    assert run.predicted[-1] == (1.0, "new")


def test_another_size_is_predicted():
    run = Run(threshold=1e9, last=-inf)
    run.levels(0, 1)
    run.at(-2, 2, size=3)
    assert len(run.predicted) == 3


def test_what_becomes_of_each_step_is_told():
    run = Run(threshold=0.5, last=-inf)
    run.levels(0, 1, 2)
    assert run.told == [
        "The step at 0 is predicted, which should have changed by inf.",
        "The step at -1 is predicted, which should have changed by inf.",
        "The step at -2 is made of the last prediction, which should have changed by 0.167.",
    ]


def test_a_network_is_called_for_what_is_predicted_only():
    calls = []

    def network(x, timestep, inputs):
        calls.append((timestep[0].item(), inputs[PARTS]))
        return 2 * x + 10

    made = cached(network, StepCache(1e9, 999.0, 0.0, lambda text: None))
    for t in (900.0, 800.0, 700.0):
        for parts in ((1, 2), (3,)):
            made(x(t / 900), torch.tensor([t]), {PARTS: parts})
    assert calls == [(900.0, (1, 2)), (900.0, (3,)), (800.0, (1, 2)), (800.0, (3,))]


def test_a_denoiser_reuses_what_guidance_gave_and_both_sides():
    class Denoiser:
        calls = 0

        def __call__(self, x, sigma):
            self.calls += 1
            return 2 * x + 10

        def both(self, x, sigma):
            self.calls += 1
            return Guided(2 * x + 10, x)

    denoise = Denoiser()
    made = CachedDenoiser(denoise, StepCache(1e9, inf, 0.0, lambda text: None))
    for sigma in (4.0, 3.0, 2.0):
        made(x(4 - sigma), torch.tensor(sigma))
    assert denoise.calls == 2
    made = CachedDenoiser(denoise, StepCache(1e9, inf, 0.0, lambda text: None))
    found = [made.both(x(4 - sigma), torch.tensor(sigma)) for sigma in (4.0, 3.0, 2.0)]
    assert denoise.calls == 4
    assert (found[2].denoised[0, 0].item(), found[2].uncond[0, 0].item()) == (13.0, 2.0)
