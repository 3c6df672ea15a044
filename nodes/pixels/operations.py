"""Operations on latents (batch, channels, height, width), by name."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from nodes.pixels.blur import gaussian_blur

SPREADS = 5
"""How many standard deviations above the mean length a vector of channels counts as white."""

SHARPENING = 10
"""How often the difference from the blurred latent is added for an alpha of 1, as for pictures."""

TINY = 1e-12


def tonemap(x: Tensor, multiplier: float) -> Tensor:
    """Shorten vectors of channels by Reinhard's operator: L / (1 + L), where L = 1 is ``multiplier`` times white."""
    length = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    around = tuple(range(1, x.ndim))
    white = (length.mean(around, keepdim=True) + SPREADS * length.std(around, keepdim=True)) * multiplier
    shortened: Tensor = x * white / (length + white).clamp(min=TINY)
    return shortened


def sharpen(x: Tensor, radius: int, sigma: float, alpha: float) -> Tensor:
    """Add the difference to a latent that is blurred over ``radius`` cells, or as many as it has."""
    radius = min(radius, min(x.shape[-2:]) - 1)
    blurred: Tensor = gaussian_blur(x.movedim(1, -1), radius, sigma).movedim(-1, 1) if radius else x
    return x + SHARPENING * alpha * (x - blurred)


OPERATIONS: Mapping[str, Callable[..., Tensor]] = {"tonemap": tonemap, "sharpen": sharpen}


def operation(name: str, settings: Mapping[str, Any]) -> Callable[[Tensor], Tensor]:
    """Return an operation with its settings."""
    return lambda x: OPERATIONS[name](x, **settings)
