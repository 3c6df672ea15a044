"""Lay one picture or latent over another: (batch, channels, height, width), places in its own cells."""

import torch
from torch import Tensor

from nodes.pixels.resize import cycled


def paste(destination: Tensor, source: Tensor, x: int, y: int, mask: Tensor | None = None) -> Tensor:
    """Return ``destination`` with ``source`` over it, its upper left corner at (x, y); what hangs over is cut off.

    ``mask`` (batch or 1, 1, height, width) in the size of ``source`` says how much of it shows, 0 to 1. A batch of
    sources or masks is cut, or starts again, to that of the destination.
    """
    result = destination.clone()
    part = result[..., y : y + source.shape[-2], x : x + source.shape[-1]]
    seen = (..., slice(part.shape[-2]), slice(part.shape[-1]))
    laid = cycled(source, len(destination))[seen].to(part)
    if mask is None:
        part.copy_(laid)
    else:
        share = cycled(mask, len(destination))[seen].to(part)
        part.copy_(share * laid + (1 - share) * part)
    return result


def feather(height: int, width: int, x: int, y: int, whole: tuple[int, int], cells: int) -> Tensor:
    """Return a mask (1, 1, height, width) that fades out over some cells towards borders inside of the whole.

    ``whole`` is the height and width of what a piece of that size is laid on at (x, y).
    """
    down = _fade(height, y > 0, y + height < whole[0], cells)
    across = _fade(width, x > 0, x + width < whole[1], cells)
    return torch.outer(down, across)[None, None]


def _fade(length: int, at_start: bool, at_end: bool, cells: int) -> Tensor:
    rise = (torch.arange(1, length + 1) / max(cells, 1)).clamp(max=1)
    return (rise if at_start else 1) * (rise.flip(0) if at_end else torch.ones(length))
