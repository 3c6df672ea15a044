"""Run a network over large pictures in tiles that overlap."""

from collections.abc import Callable, Sequence
from itertools import product

import torch
from torch import Tensor

Enlarge = Callable[[Tensor], Tensor]


def enlarge(
    model: Enlarge,
    images: Tensor,
    scale: int,
    report: Callable[[int, int], None],
    *,
    tile: int = 512,
    overlap: int = 32,
) -> Tensor:
    """Return ``images`` (batch, channels, height, width) enlarged ``scale`` times, clamped to 0 to 1.

    ``model`` enlarges one (1, channels, height, width). Tiles are blended over the overlap by weights that rise
    linearly. ``report`` is called with the tiles done and their number. When memory runs out the tiles are halved,
    down to 128.

    Raises:
        torch.OutOfMemoryError: tiles of 128 are still too large.
    """
    while True:
        try:
            return _enlarge(model, images, scale, report, tile, overlap)
        except torch.OutOfMemoryError:
            tile //= 2
            if tile < 128:
                raise


def _enlarge(
    model: Enlarge, images: Tensor, scale: int, report: Callable[[int, int], None], tile: int, overlap: int
) -> Tensor:
    height, width = images.shape[-2:]
    corners = list(product(starts(height, tile, overlap), starts(width, tile, overlap)))
    done, results = 0, []
    for index in range(len(images)):
        canvas = Canvas(height * scale, width * scale, overlap * scale)
        for y, x in corners:
            piece = model(images[index : index + 1, :, y : y + tile, x : x + tile])
            canvas.add(piece, y * scale, x * scale)
            done += 1
            report(done, len(images) * len(corners))
        results.append(canvas.result().clamp(0, 1))
    return torch.cat(results)


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
