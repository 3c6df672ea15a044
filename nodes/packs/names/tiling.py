"""Tiles over any number of axes, for the functions of ``comfy.utils`` that run a network in tiles."""

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import product
from typing import Any

import torch
from torch import Tensor

from nodes.pixels.tiles import ramp, starts

Scale = Callable[[float], float]
"""From a length or place in what goes in to that in what comes out."""


def in_tiles(
    samples: Tensor,
    function: Callable[[Tensor], Tensor],
    tile: Sequence[int],
    overlap: Sequence[int],
    lengths: Sequence[Scale],
    places: Sequence[Scale],
    channels: int,
    device: torch.device | str,
    done: Callable[[], None],
) -> Tensor:
    """Return what a function makes of ``samples`` (batch, channels, axes ...), each tile apart, float32.

    ``lengths`` and ``places`` say per axis how long what comes out is, and where it begins. Tiles are blended by
    weights that rise linearly over the overlap; what fits one tile is given whole.
    """
    sides = samples.shape[2:]
    grid = [starts(side, size, shared) for side, size, shared in zip(sides, tile, overlap, strict=True)]
    results = []
    for index in range(len(samples)):
        sample = samples[index : index + 1]
        if all(side <= size for side, size in zip(sides, tile, strict=True)):
            results.append(function(sample).to(device, torch.float32))
            done()
            continue
        size = [round(scale(side)) for scale, side in zip(lengths, sides, strict=True)]
        total = torch.zeros(1, channels, *size, device=device)
        weight = torch.zeros(1, 1, *size, device=device)
        for corner in product(*grid):
            piece = function(sample[_box(corner, tile)]).to(device, torch.float32)
            begin = [round(scale(at)) for scale, at in zip(places, corner, strict=True)]
            where = _box(begin, piece.shape[2:])
            feather = [round(scale(shared)) for scale, shared in zip(lengths, overlap, strict=True)]
            share = _weights(piece.shape[2:], feather).to(device)
            total[where] += piece * share
            weight[where] += share
            done()
        results.append(total / weight)
    return torch.cat(results)


def _box(corner: Sequence[int], sides: Sequence[int]) -> Any:
    """Return the index of a box of the last axes."""
    return (..., *(slice(at, at + side) for at, side in zip(corner, sides, strict=True)))


def _weights(sides: Sequence[int], feather: Sequence[int]) -> Tensor:
    ramps = [ramp(side, over) for side, over in zip(sides, feather, strict=True)]
    return reduce(lambda outer, inner: outer[..., None] * inner, ramps)
