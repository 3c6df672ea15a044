"""Where and when an encoded prompt counts: from the options that nodes set to the numbers of one run."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from engine.errors import InputError
from nodes.pixels.resize import cycled
from nodes.sampling.noise_levels import NoiseLevels
from nodes.sampling.regions import Area, Region, fraction_area, mask_area, resized_mask


def region(options: Mapping[str, Any], x: Tensor, levels: NoiseLevels) -> Region:
    """Return the region of a conditioning over latents like ``x`` (batch, channels, ..., height, width).

    The options are those of the ecosystem: ``area`` (height, width, y, x) in cells, or ("percentage", ...) with
    parts of the whole, ``strength``, ``mask`` (batch, height, width) with ``mask_strength``, ``set_area_to_bounds``
    for the rectangle around the mask, ``start_percent`` and ``end_percent`` of sampling. Where there are
    ``clip_start_percent`` and ``clip_end_percent`` too, it counts in what both have in common.

    Raises:
        InputError: the area lies outside the latent.
    """
    height, width = x.shape[-2:]
    mask, area = options.get("mask"), options.get("area")
    found = area and _area(area, height, width)
    if mask is not None:
        mask = resized_mask(mask.to(x), height, width)
        mask = mask if len(mask) == 1 else cycled(mask, len(x))
        if options.get("set_area_to_bounds"):
            found = mask_area(mask)
        mask = mask * options.get("mask_strength", 1.0)
    start = max((options[name] for name in STARTS if options.get(name) is not None), default=None)
    end = min((options[name] for name in ENDS if options.get(name) is not None), default=None)
    return Region(
        area=found,
        mask=mask,
        strength=options.get("strength", 1.0),
        first_sigma=math.inf if start is None else levels.sigma_at(start),
        last_sigma=0.0 if end is None else levels.sigma_at(end),
    )


STARTS, ENDS = ("start_percent", "clip_start_percent"), ("end_percent", "clip_end_percent")


def _area(given: Sequence[Any], height: int, width: int) -> Area:
    if given[0] == "percentage":
        _, high, wide, y, x = given
        area = fraction_area(high, wide, y, x, height, width)
    else:
        area = Area(*given)
    if area.y >= height or area.x >= width:
        raise InputError(
            "The area of a prompt lies outside the picture.",
            got=f"the corner ({area.x}, {area.y}) in a latent of {width} x {height} cells",
            expected=f"x below {width} and y below {height}",
            hint="Move the area into the picture.",
        )
    return area
