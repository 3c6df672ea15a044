"""Steps that are not predicted but made of the last prediction, as long as it should not have changed much.

Zhou et al. (2025), "Less is Enough: Training-Free Video Diffusion Acceleration via Runtime-Adaptive Caching", arXiv
2507.02860. Not compared with the reference.
"""

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import torch
from torch import Tensor

from nodes.sampling.guidance import PARTS
from nodes.sampling.prediction import Inputs, Network
from nodes.sampling.seam import Guided, GuidedDenoiser


class StepCache:
    """What was predicted in a run: v of x, by who asks for it.

    Between two predicted steps v changes k times as much as x. While a step takes x from x' to x, the last v should
    change by k |x - x'| / |v| of itself, in mean absolute values. When the sum of that reaches ``threshold`` since the
    last predicted step, or outside of ``first`` >= level >= ``last``, or before there are two predictions, a step is
    predicted. All others are v = x + (v - x of the last predicted step). The first call at a level decides for all.
    ``tell`` hears of each level.
    """

    def __init__(self, threshold: float, first: float, last: float, tell: Callable[[str], None]) -> None:
        self._threshold, self._first, self._last, self._tell = threshold, first, last, tell
        self._level: float | None = None
        self._differences: dict[Hashable, Tensor] = {}
        self._is_reused, self._is_decided = False, False
        self._x: Tensor | None = None
        self._predicted: tuple[Tensor, Tensor] | None = None
        self._rate: float | None = None
        self._change = 0.0

    def made(self, x: Tensor, level: float, who: Hashable, predict: Callable[[], Tensor]) -> Tensor:
        """Return v of x at a level for one who asks, predicted or not."""
        if level != self._level:
            self._level = level
            self._decide(x, level)
        if self._is_reused and who in self._differences:
            return x + self._differences[who]
        v = predict()
        self._differences[who] = v - x
        if self._is_decided:
            self._is_decided = False
            self._learn(x, v)
        return v

    def _decide(self, x: Tensor, level: float) -> None:
        self._change += self._expected(x)
        self._x = x
        self._is_reused = self._first >= level >= self._last and self._change < self._threshold
        self._is_decided = not self._is_reused
        said = "is made of the last prediction" if self._is_reused else "is predicted"
        self._tell(f"The step at {level:g} {said}, which should have changed by {self._change:.3f}.")
        if not self._is_reused:
            self._change = 0.0
            self._differences.clear()

    def _expected(self, x: Tensor) -> float:
        """Return by how much of itself v changes on the way to x; infinity where that can't be told."""
        if self._x is None or self._predicted is None or self._rate is None or self._x.shape != x.shape:
            return math.inf
        return self._rate * _mean(x - self._x) / max(TINY, _mean(self._predicted[1]))

    def _learn(self, x: Tensor, v: Tensor) -> None:
        if self._predicted and self._predicted[0].shape == x.shape and self._predicted[1].shape == v.shape:
            change = _mean(x - self._predicted[0])
            self._rate = _mean(v - self._predicted[1]) / change if change else None
        self._predicted = x, v


TINY = 1e-12


def _mean(x: Tensor) -> float:
    return x.abs().mean().item()


def cached(network: Network, cache: StepCache) -> Network:
    """Return a network whose raw predictions are reused; levels are timesteps."""

    def call(x: Tensor, timestep: Tensor, inputs: Inputs) -> Tensor:
        who = inputs.get(PARTS), x.shape
        return cache.made(x, timestep[0].item(), who, lambda: network(x, timestep, inputs))

    return call


@dataclass(frozen=True, slots=True, eq=False)
class CachedDenoiser:
    """A denoiser whose x0 under guidance are reused; levels are noise levels."""

    denoise: GuidedDenoiser
    cache: StepCache

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self.cache.made(x, sigma.item(), "denoised", lambda: self.denoise(x, sigma))

    def both(self, x: Tensor, sigma: Tensor) -> Guided:
        found = self.cache.made(x, sigma.item(), "both", lambda: torch.stack(self.denoise.both(x, sigma)))
        return Guided(found[0], found[1])
