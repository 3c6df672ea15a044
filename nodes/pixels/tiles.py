"""Run a network over large pictures in tiles that overlap."""

from collections.abc import Callable, Sequence
from itertools import product

import torch
from torch import Tensor

Piecewise = Callable[[Tensor], Tensor]
"""A network that takes one (1, channels, height, width) and gives another, larger or smaller by a fixed factor."""

Report = Callable[[int, int], None]
"""Called with the tiles that are done and their number. What it raises ends the work."""


def enlarge(
    model: Piecewise, images: Tensor, scale: int, report: Report, *, tile: int = 512, overlap: int = 32
) -> Tensor:
    """Return ``images`` (batch, channels, height, width) enlarged ``scale`` times, clamped to 0 to 1.

    Tiles are blended over the overlap by weights that rise linearly.
    """
    return in_tiles(model, images, (tile, tile), overlap, report, grows=scale).clamp(0, 1)


def in_tiles(
    model: Piecewise,
    images: Tensor,
    tile: tuple[int, int],
    overlap: int,
    report: Report,
    *,
    grows: int = 1,
    shrinks: int = 1,
) -> Tensor:
    """Return what a network makes of ``images`` (batch, channels, height, width), picture by picture.

    It makes them ``grows`` / ``shrinks`` times as large. Tiles (height, width) and overlap are counted in cells, which
    are ``shrinks`` pixels going in and ``grows`` pixels coming out. Weights rise linearly over the overlap.
    """
    height, width = (side // shrinks for side in images.shape[-2:])
    places = corners(images, tile, overlap, shrinks)
    results = []
    for index in range(len(images)):
        canvas = Canvas(height * grows, width * grows, overlap * grows)
        for done, (y, x) in enumerate(places, index * len(places) + 1):
            rows, columns = (slice(at * shrinks, (at + size) * shrinks) for at, size in zip((y, x), tile, strict=True))
            canvas.add(model(images[index : index + 1, :, rows, columns]), y * grows, x * grows)
            report(done, len(images) * len(places))
        results.append(canvas.result())
    return torch.cat(results)


def averaged(
    model: Piecewise, images: Tensor, tile: int, overlap: int, report: Report, *, grows: int = 1, shrinks: int = 1
) -> Tensor:
    """Return the mean of three runs of ``in_tiles``: with wide, high and square tiles of one area.

    So the seams of one kind lie inside the tiles of the others. The overlap is less than half a tile.
    """
    runs = ((tile // 2, tile * 2), (tile * 2, tile // 2), (tile, tile))
    counts = [len(images) * len(corners(images, run, overlap, shrinks)) for run in runs]
    total = torch.zeros(())
    for place, run in enumerate(runs):

        def share(done: int, _count: int, before: int = sum(counts[:place])) -> None:
            report(before + done, sum(counts))

        total = total + in_tiles(model, images, run, overlap, share, grows=grows, shrinks=shrinks)
    return total / len(runs)


def corners(images: Tensor, tile: tuple[int, int], overlap: int, shrinks: int = 1) -> list[tuple[int, int]]:
    """Return where the tiles of a picture begin, as (y, x) in cells of ``shrinks`` pixels."""
    height, width = (side // shrinks for side in images.shape[-2:])
    return list(product(starts(height, tile[0], overlap), starts(width, tile[1], overlap)))


def starts(length: int, tile: int, overlap: int) -> Sequence[int]:
    """Return where the tiles along one side begin. The last one may be shorter than the others."""
    return [0] if length <= tile else range(0, length - overlap, tile - overlap)


class Canvas:
    """Tiles laid over each other: the mean of what was added, weighted by the distance to each tile's border."""

    def __init__(self, height: int, width: int, feather: int) -> None:
        self.height, self.width, self.feather = height, width, feather
        self.sum: Tensor | None = None
        self.weight = torch.zeros(height, width)

    def add(self, piece: Tensor, y: int, x: int) -> None:
        """Add (1, channels, height, width) at (y, x). A piece that fills the canvas keeps its exact values."""
        height, width = piece.shape[-2:]
        if self.sum is None:
            self.sum = piece.new_zeros(1, piece.shape[1], self.height, self.width)
        whole = (height, width) == (self.height, self.width)
        feather = 0 if whole else self.feather
        weight = ramp(height, feather)[:, None] * ramp(width, feather)
        self.sum[..., y : y + height, x : x + width] += piece * weight
        self.weight[y : y + height, x : x + width] += weight

    def result(self) -> Tensor:
        assert self.sum is not None
        return self.sum / self.weight


def ramp(length: int, feather: int) -> Tensor:
    """Return weights that rise from 1 / feather to 1 over ``feather`` pixels at both ends.

    A side that is not longer than ``feather`` has weight 1 throughout.
    """
    if feather >= length:
        return torch.ones(length)
    rise = (torch.arange(1, length + 1) / max(feather, 1)).clamp(max=1)
    return rise * rise.flip(0)
