"""What a table of solvers says about each."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from nodes.sampling.noise import Noise, NoiseKind
from nodes.sampling.seam import GuidedDenoiser, OnStep, ignore_step


class Solve(Protocol):
    """A solver: from x at ``sigmas[0]`` to x at ``sigmas[-1]``.

    ``x`` is (batch, channels, ...), ``sigmas`` falling float32 on the CPU. Settings of one solver are keyword arguments
    of its own with the customary defaults.
    """

    def __call__(
        self, denoise: GuidedDenoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step, /
    ) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class Solver:
    """A solver and what a run has to prepare for it.

    ``drops_penultimate``: its schedules leave out the last value before 0. ``guided``: it reads the unconditional
    prediction (``denoise.both``). ``fresh_background``: under a mask its background noise is ``background_noise``.
    ``resizes``: it changes the size of x, and gets a function for that as ``resize``.
    """

    run: Solve
    noise: NoiseKind = "none"
    drops_penultimate: bool = False
    guided: bool = False
    fresh_background: bool = False
    resizes: bool = False
