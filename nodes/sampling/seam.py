"""The one seam between a solver and a model: ``denoise(x, sigma) -> x0``.

Everything that a model is (network, prediction type, guidance, masks) hides behind it; everything that a solver is
(order, history, noise) stays in front of it.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

from torch import Tensor


class Guided(NamedTuple):
    """What guidance made of a prediction, and the unconditional prediction that went into it."""

    denoised: Tensor
    uncond: Tensor


class Denoiser(Protocol):
    """Predicts the clean signal x0 in ``x`` (batch, channels, ...), which holds noise of level ``sigma`` (0-dim)."""

    def __call__(self, x: Tensor, sigma: Tensor, /) -> Tensor: ...


class GuidedDenoiser(Denoiser, Protocol):
    """A denoiser under classifier-free guidance that also shows the unconditional side (CFG++ solvers need it)."""

    def both(self, x: Tensor, sigma: Tensor, /) -> Guided:
        """The guided and the unconditional prediction; the latter is evaluated even at scale 1."""
        ...


OnStep: TypeAlias = Callable[[int, Tensor], None]
"""Called as ``on_step(i, denoised)`` after the first prediction of step i. What it raises ends the run."""


def ignore_step(_i: int, _denoised: Tensor) -> None:
    """The observer that does nothing."""
