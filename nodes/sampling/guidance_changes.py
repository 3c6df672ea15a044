"""Changes of guidance between two sides: of what goes into the rule, and of what comes out. None was compared with the
reference.

``before`` gets the sides and the scale and returns other sides; ``after`` gets what the rule gave, too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor

from nodes.sampling.guidance import Rule, Scaled, Sides

Before: TypeAlias = Callable[[Sides, float], Sides]
After: TypeAlias = Callable[[Tensor, Sides, float], Tensor]


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """The inner product of each item of a batch, (batch, 1, ...)."""
    return (a * b).sum(tuple(range(1, a.ndim)), keepdim=True)


def _length(x: Tensor) -> Tensor:
    return _dot(x, x).sqrt()


def projected(eta: float, norm_threshold: float, momentum: float) -> Before:
    """Adaptive projected guidance: Sadat et al. (2024), arXiv 2410.02416, algorithm 1.

    The step from uncond to cond is averaged over the run (``momentum``), cut to a length, and what of it is parallel to
    cond is multiplied by ``eta``.
    """
    average: Tensor | None = None

    def before(s: Sides, scale: float) -> Sides:
        nonlocal average
        step = s.cond - s.uncond
        if momentum:
            fits = average is not None and average.shape == step.shape
            average = step if average is None or not fits else step + momentum * average
            step = average
        if norm_threshold > 0:
            step = step * (norm_threshold / _length(step).clamp(min=TINY)).clamp(max=1.0)
        unit = s.cond / _length(s.cond).clamp(min=TINY)
        parallel = _dot(step, unit) * unit
        return replace(s, uncond=s.cond - (step - parallel + eta * parallel))

    return before


TINY = 1e-12


def tangential(s: Sides, scale: float) -> Sides:
    """Tangential damping: uncond loses what is not along the main direction of both sides.

    Kwon et al. (2025), arXiv 2503.18137, section 4. That direction is the first right singular vector of the two, which
    is known from their three inner products.
    """
    both = _dot(s.cond, s.uncond)
    angle = torch.atan2(2 * both, _dot(s.cond, s.cond) - _dot(s.uncond, s.uncond)) / 2
    main = angle.cos() * s.cond + angle.sin() * s.uncond
    unit = main / _length(main).clamp(min=TINY)
    return replace(s, uncond=_dot(s.uncond, unit) * unit)


def frequencies(low: float, high: float, cutoff: int) -> Before:
    """FreSca: the low and the high frequencies of the step from uncond to cond are scaled apart.

    Huang et al. (2025), arXiv 2504.02154. ``cutoff`` frequencies on each side of the lowest one count as low.
    """

    def before(s: Sides, scale: float) -> Sides:
        spectrum = torch.fft.fftshift(torch.fft.fft2((s.cond - s.uncond).float()), dim=(-2, -1))
        factor = torch.full(spectrum.shape[-2:], high, device=spectrum.device)
        rows, columns = (side // 2 for side in factor.shape)
        factor[max(0, rows - cutoff) : rows + cutoff, max(0, columns - cutoff) : columns + cutoff] = low
        step = torch.fft.ifft2(torch.fft.ifftshift(spectrum * factor, dim=(-2, -1))).real
        return replace(s, cond=s.uncond + step.to(s.cond))

    return before


def operated(operation: Callable[[Tensor], Tensor]) -> Before:
    """The step from uncond to cond goes through an operation."""
    return lambda s, scale: replace(s, cond=s.uncond + operation(s.cond - s.uncond))


def rising(lowest: float) -> Before:
    """Along the batch the scale rises from ``lowest`` to what was asked for: frames of a video."""
    return _ramped(lowest, lambda x: torch.linspace(0, 1, len(x), device=x.device))


def triangular(lowest: float) -> Before:
    """Along the batch the scale rises from ``lowest`` to what was asked for in the middle, and falls again."""
    return _ramped(lowest, lambda x: 1 - torch.linspace(-1, 1, len(x), device=x.device).abs())


def _ramped(lowest: float, ramp: Callable[[Tensor], Tensor]) -> Before:
    def before(s: Sides, scale: float) -> Sides:
        scales = lowest + (scale - lowest) * ramp(s.x).view(-1, *[1] * (s.x.ndim - 1))
        return replace(s, cond=s.uncond + (s.cond - s.uncond) * scales / scale)

    return before


def optimized(guided: Tensor, s: Sides, scale: float) -> Tensor:
    """CFG-Zero*: uncond is scaled to fit cond best before the step. Fan et al. (2025), arXiv 2503.18886, equation 7.

    The fit is that of the noise in both predictions.
    """
    cond, uncond = s.x - s.cond, s.x - s.uncond
    alpha = _dot(cond, uncond) / _dot(uncond, uncond).clamp(min=TINY)
    return guided + s.uncond * (alpha - 1) * (1 - scale)


def normed(guided: Tensor, s: Sides, strength: float) -> Tensor:
    """At each place the vector of channels is cut to the length that it has in cond, then multiplied."""
    longest = s.cond.norm(dim=1, keepdim=True) / guided.norm(dim=1, keepdim=True).clamp(min=TINY)
    shrunk: Tensor = guided * longest.clamp(0, 1) * strength
    return shrunk


def bounded(guided: Tensor, s: Sides, first_sigma: float, longest: float) -> Tensor:
    """Guidance at levels below ``first_sigma`` only, and no longer than ``longest`` times cond; 0 is any length.

    The length is that of the whole latent. Lumina-Image 2.0 (Qin et al. 2025), arXiv 2503.21758.
    """
    if longest:
        guided = guided * (longest * _length(s.cond) / _length(guided).clamp(min=TINY)).clamp(max=1.0)
    return guided if s.sigma < first_sigma else s.cond


def directed(guided: Tensor, s: Sides, scale: float) -> Tensor:
    """Mahiro: the less both sides agree, the more of scale * cond alone goes into the result."""
    leap, below = s.cond * scale, s.uncond * scale

    def flattened(x: Tensor) -> Tensor:
        return x.abs().sqrt() * x.sign()

    likeness = torch.cosine_similarity(flattened(below), flattened((leap + guided) / 2), dim=1).mean()
    share = 2 * (likeness + 1)
    return (share * guided + (4 - share) * leap) / 4


def scaled_noise(guided: Tensor, s: Sides, factor: float) -> Tensor:
    """Epsilon scaling: the noise that was found is divided by a factor. Ning et al. (2023), arXiv 2308.15321."""
    return s.x - (s.x - guided) / factor


BEFORE: Mapping[str, Callable[..., Before]] = {
    "projected": projected,
    "tangential": lambda: tangential,
    "frequencies": frequencies,
    "operated": operated,
    "rising": rising,
    "triangular": triangular,
}
AFTER: Mapping[str, Callable[..., After]] = {
    "optimized": lambda: optimized,
    "normed": lambda strength: lambda guided, s, _: normed(guided, s, strength),
    "directed": lambda: directed,
    "bounded": lambda first_sigma, longest: lambda guided, s, _: bounded(guided, s, first_sigma, longest),
    "scaled_noise": lambda factor: lambda guided, s, _: scaled_noise(guided, s, factor),
}
"""Changes by name. A new one is a function and a line here."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of a rule, in order."""

    before: Sequence[Before]
    after: Sequence[After]

    def around(self, inner: Scaled) -> Scaled:
        """Return guidance between two sides with the changes around it."""
        return partial(self._rule, inner)

    def _rule(self, inner: Scaled, scale: float) -> Rule:
        rule = inner(scale)

        def changed(s: Sides) -> Tensor:
            for before in self.before:
                s = before(s, scale)
            guided = rule(s)
            for after in self.after:
                guided = after(guided, s, scale)
            return guided

        return changed


def changes(named: Sequence[tuple[str, Mapping[str, Any]]]) -> Changes:
    """Return changes by name and settings, ready for one run: some remember what came before."""
    return Changes(
        [BEFORE[name](**settings) for name, settings in named if name in BEFORE],
        [AFTER[name](**settings) for name, settings in named if name in AFTER],
    )
