"""Where and when a conditioning counts: areas, masks, strengths and ranges of noise levels."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

FEATHER = 8
"""Latent cells over which an area fades at an inner border."""
SMALLEST_AREA = 8
"""Latent cells that an area made of a mask has at least in each direction."""


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of the latent, in cells."""

    height: int
    width: int
    y: int
    x: int

    def within(self, height: int, width: int) -> "Area":
        """The part of it that lies in a latent of that size."""
        return Area(min(self.height, height - self.y), min(self.width, width - self.x), self.y, self.x)

    def covers(self, other: "Area") -> bool:
        return (
            self.y <= other.y
            and self.x <= other.x
            and self.y + self.height >= other.y + other.height
            and self.x + self.width >= other.x + other.width
        )

    def of(self, x: Tensor) -> Tensor:
        """A view of the rectangle in a tensor whose last two dimensions are height and width."""
        return x[..., self.y : self.y + self.height, self.x : self.x + self.width]


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Where (``area``, ``mask``), how much (``strength``) and when (``first_sigma`` >= sigma >= ``last_sigma``).

    ``mask`` is (batch or 1, height, width) in the latent's size, 0 to 1, with its own strength already in it.
    """

    area: Area | None = None
    mask: Tensor | None = None
    strength: float = 1.0
    first_sigma: float = math.inf
    last_sigma: float = 0.0

    def active(self, sigma: float) -> bool:
        return self.first_sigma >= sigma >= self.last_sigma


EVERYWHERE = Region()


def fraction_area(height: float, width: float, y: float, x: float, latent_height: int, latent_width: int) -> Area:
    """An area given in fractions of the latent; at least one cell."""
    return Area(
        max(1, round(height * latent_height)),
        max(1, round(width * latent_width)),
        round(y * latent_height),
        round(x * latent_width),
    )


def mask_area(mask: Tensor) -> Area:
    """The smallest area around what is not zero in a (batch, height, width) mask, at least 8 cells each way."""
    rows, columns = mask.abs().amax(dim=0).nonzero(as_tuple=True)
    if not len(rows):
        return Area(SMALLEST_AREA, SMALLEST_AREA, 0, 0)
    y, x = int(rows.min()), int(columns.min())
    height, width = int(rows.max()) - y + 1, int(columns.max()) - x + 1
    return Area(max(SMALLEST_AREA, height), max(SMALLEST_AREA, width), y, x)


def resized_mask(mask: Tensor, height: int, width: int) -> Tensor:
    """A (batch, height, width) mask in the latent's size: bilinear, not antialiased, not rounded."""
    if mask.shape[-2:] == (height, width):
        return mask
    return interpolate(mask[:, None], size=(height, width), mode="bilinear", align_corners=False)[:, 0]


def weights(region: Region, x: Tensor) -> Tensor:
    """How much each cell of the region counts, as (batch or 1, 1, ..., height, width) over its area of ``x``.

    An area without a mask fades out towards borders that are not borders of the latent. A mask is resized to that of
    ``x``, an area stays where it is.
    """
    height, width = x.shape[-2:]
    area = (region.area or Area(height, width, 0, 0)).within(height, width)
    if region.mask is not None:
        mask = area.of(resized_mask(region.mask[: x.shape[0]].to(x), height, width))
        return mask.view(len(mask), *[1] * (x.ndim - 3), *mask.shape[-2:]) * region.strength
    if region.area is None:
        return x.new_full((1,) * x.ndim, region.strength)
    fade_y = _fade(area.height, area.y, height, x)
    fade_x = _fade(area.width, area.x, width, x)
    return (torch.outer(fade_y, fade_x) * region.strength).view(*[1] * (x.ndim - 2), area.height, area.width)


def _fade(size: int, offset: int, whole: int, x: Tensor) -> Tensor:
    """1 in the middle, (t + 1) / r over the r outermost cells of each end that lies inside the latent."""
    fade = x.new_ones(size)
    r = min(FEATHER, size // 4)
    ramp = torch.arange(1, r + 1, dtype=x.dtype, device=x.device) / max(r, 1)
    if offset:
        fade[:r] *= ramp
    if offset + size < whole:
        fade[size - r :] *= ramp.flip(0)
    return fade
