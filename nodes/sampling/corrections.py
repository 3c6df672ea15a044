"""Guidance on top of guidance: what a network predicts when it is hindered, and how to keep away from that."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor
from torch.nn.functional import interpolate

from nodes.sampling.guidance import Guidance, Part, blended
from nodes.sampling.seam import Guided


@dataclass(frozen=True, slots=True)
class Point:
    """What a correction gets: x, its noise level, x0 as predicted for each side, and what guidance made of these."""

    x: Tensor
    sigma: Tensor
    uncond: Tensor
    cond: Tensor
    guided: Tensor


Correction: TypeAlias = Callable[[Point], Tensor]
"""Returns what to add to what guidance made of x0."""


@dataclass(frozen=True, slots=True, eq=False)
class Corrected:
    """A denoiser under guidance, with the sum of corrections added."""

    guidance: Guidance
    corrections: Sequence[Correction]
    needs_uncond: bool

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        if self.guidance.is_single and not self.needs_uncond:
            alone = self.guidance(x, sigma)
            return alone + self._added(Point(x, sigma, alone, alone, alone))
        return self.both(x, sigma).denoised

    def both(self, x: Tensor, sigma: Tensor) -> Guided:
        guided, cond = self.guidance.sides(x, sigma)
        return guided._replace(
            denoised=guided.denoised + self._added(Point(x, sigma, guided.uncond, cond, guided.denoised))
        )

    def _added(self, at: Point) -> Tensor:
        return sum((correction(at) for correction in self.corrections), at.x.new_zeros(()))


def perturbed(predict: Callable[..., Tensor], hindered: Sequence[Part], scale: float) -> Correction:
    """Add (cond - what the hindered network predicts for it) * scale. Ahn et al. (2024), arXiv 2403.17377, equation 16.

    Not compared with the reference.
    """

    def correction(at: Point) -> Tensor:
        (weak,) = blended(predict, [hindered], at.x, at.sigma)
        return (at.cond - weak) * scale

    return correction


def blurred_attention(
    predict: Callable[..., Tensor],
    negative: Sequence[Part],
    attended: Callable[[], Tensor],
    blur: Callable[[Tensor], Tensor],
    scale: float,
) -> Correction:
    """Add (blurred x0 - what the network makes of it) * scale, where x0 is blurred in what is attended to.

    ``attended()`` tells how much each place of the last prediction for the negative side was attended to; above 1 it is
    blurred. The noise in x stays as it is. Hong et al. (2022), arXiv 2210.00939, algorithm 1. Not compared with the
    reference.
    """

    def correction(at: Point) -> Tensor:
        uncond = at.uncond
        mask = interpolate((attended() > 1.0).to(uncond), size=uncond.shape[-2:], mode="nearest")
        mask = mask[-len(uncond) :]
        degraded = blur(uncond) * mask + uncond * (1 - mask)
        (weak,) = blended(predict, [negative], degraded + at.x - uncond, at.sigma)
        return (degraded - weak) * scale

    return correction
