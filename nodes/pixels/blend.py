"""Mix pictures (batch, height, width, channels): blend modes, and Porter and Duff's operators."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor

Blend: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def _overlay(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(a <= 0.5, 2 * a * b, 1 - 2 * (1 - a) * (1 - b))


def _soft_light(a: Tensor, b: Tensor) -> Tensor:
    root = torch.where(a <= 0.25, ((16 * a - 12) * a + 4) * a, a.clamp(min=0).sqrt())
    return torch.where(b <= 0.5, a - (1 - 2 * b) * a * (1 - a), a + (2 * b - 1) * (root - a))


BLENDS: Mapping[str, Blend] = {
    "normal": lambda a, b: b,
    "multiply": lambda a, b: a * b,
    "screen": lambda a, b: 1 - (1 - a) * (1 - b),
    "overlay": _overlay,
    "soft_light": _soft_light,
    "difference": lambda a, b: a - b,
}
"""What the second picture makes of the first: W3C Compositing and Blending Level 1, section 9. The difference keeps its
sign, so that what is brighter in the second picture darkens the mix."""


Covered: TypeAlias = tuple[Tensor, Tensor]
"""Colours times alpha, and alpha (..., 1)."""


def _over(top: Covered, below: Covered) -> Covered:
    return tuple(a + b * (1 - top[1]) for a, b in zip(top, below, strict=True))  # type: ignore[return-value]


def _inside(shown: Covered, other: Covered) -> Covered:
    return shown[0] * other[1], shown[1] * other[1]


def _outside(shown: Covered, other: Covered) -> Covered:
    return shown[0] * (1 - other[1]), shown[1] * (1 - other[1])


def _atop(top: Covered, below: Covered) -> Covered:
    return top[0] * below[1] + below[0] * (1 - top[1]), below[1]


def _extreme(pick: Blend) -> Callable[[Covered, Covered], Covered]:
    def operator(s: Covered, d: Covered) -> Covered:
        return s[0] * (1 - d[1]) + d[0] * (1 - s[1]) + pick(s[0], d[0]), _union(s, d)

    return operator


def _union(s: Covered, d: Covered) -> Tensor:
    return s[1] + d[1] - s[1] * d[1]


def _overlaid(s: Covered, d: Covered) -> Covered:
    both = torch.where(2 * d[0] < d[1], 2 * s[0] * d[0], s[1] * d[1] - 2 * (d[1] - d[0]) * (s[1] - s[0]))
    return both + s[0] * (1 - d[1]) + d[0] * (1 - s[1]), _union(s, d)


OPERATORS: Mapping[str, Callable[[Covered, Covered], Covered]] = {
    "ADD": lambda s, d: ((s[0] + d[0]).clamp(0, 1), (s[1] + d[1]).clamp(0, 1)),
    "CLEAR": lambda s, d: (torch.zeros_like(d[0]), torch.zeros_like(d[1])),
    "DARKEN": _extreme(torch.minimum),
    "DST": lambda s, d: d,
    "DST_ATOP": lambda s, d: _atop(d, s),
    "DST_IN": lambda s, d: _inside(d, s),
    "DST_OUT": lambda s, d: _outside(d, s),
    "DST_OVER": lambda s, d: _over(d, s),
    "LIGHTEN": _extreme(torch.maximum),
    "MULTIPLY": lambda s, d: (s[0] * d[0], s[1] * d[1]),
    "OVERLAY": _overlaid,
    "SCREEN": lambda s, d: (s[0] + d[0] - s[0] * d[0], _union(s, d)),
    "SRC": lambda s, d: s,
    "SRC_ATOP": _atop,
    "SRC_IN": _inside,
    "SRC_OUT": _outside,
    "SRC_OVER": _over,
    "XOR": lambda s, d: (s[0] * (1 - d[1]) + d[0] * (1 - s[1]), s[1] + d[1] - 2 * s[1] * d[1]),
}
"""Porter and Duff (1984), and the modes that Android's PorterDuff.Mode adds to them: source, destination -> result."""


def composed(mode: str, source: Tensor, source_alpha: Tensor, destination: Tensor, alpha: Tensor) -> Covered:
    """Return colours (batch, height, width, 3) and alpha (batch, height, width, 1) of an operator of OPERATORS.

    Colours go in and come out as they are seen where alpha is 1; where nothing is left they are 0.
    """
    colours, covered = OPERATORS[mode]((source * source_alpha, source_alpha), (destination * alpha, alpha))
    shown = torch.where(covered > LEAST_ALPHA, colours / covered.clamp(min=LEAST_ALPHA), 0.0)
    return shown.clamp(0, 1), covered.clamp(0, 1)


LEAST_ALPHA = 1e-5
