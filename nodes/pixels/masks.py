"""Change and combine masks: float32 (batch, height, width), values 0 to 1."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d, pad


def grow(mask: Tensor, cells: int, *, tapered_corners: bool) -> Tensor:
    """Grow the bright parts of a mask by ``cells`` pixels, or shrink them when it is negative.

    A single bright pixel becomes a square, with tapered corners a diamond. What lies outside the picture plays no part.
    """
    if cells < 0:
        return -grow(-mask, -cells, tapered_corners=tapered_corners)
    step = _cross if tapered_corners else _square
    for _ in range(cells):
        grown = step(mask)
        if torch.equal(grown, mask):
            break
        mask = grown
    return mask.clone()


def feather(length: int, start: int, end: int) -> Tensor:
    """Return factors (length,) that rise from 1 / start over ``start`` places, and fall likewise over the last ones.

    A way that is longer than ``length`` is cut to it, so that the far side keeps its value.
    """
    places = torch.arange(1, length + 1)
    ways = ((places, min(start, length)), (places.flip(0), min(end, length)))
    rise, fall = ((way / max(cells, 1)).clamp(max=1) for way, cells in ways)
    return rise * fall


def grow_box(mask: Tensor, side: int) -> Tensor:
    """Return a mask of zeros and ones with each one grown into a square of ``side`` pixels; side 0 leaves it alone.

    The square of an even side lies half a pixel down and to the right.
    """
    if not side:
        return mask
    padding = -(-(side - 1) // 2)
    grown = max_pool2d(pad(mask[:, None], [padding] * 4), side, stride=1)[:, 0]
    return grown[:, : mask.shape[-2], : mask.shape[-1]]


def hidden(pixels: Tensor, mask: Tensor) -> Tensor:
    """Return pictures (batch, height, width, channels) in grey where a mask of their size is above a half."""
    return (pixels - 0.5) * (1 - mask.round())[..., None] + 0.5


def _square(mask: Tensor) -> Tensor:
    return max_pool2d(mask, 3, stride=1, padding=1)


def _cross(mask: Tensor) -> Tensor:
    across = max_pool2d(mask, (1, 3), stride=1, padding=(0, 1))
    return torch.maximum(across, max_pool2d(mask, (3, 1), stride=1, padding=(1, 0)))


def _rounded(operation: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda a, b: operation(a.round().bool(), b.round().bool()).float()


OPERATIONS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "multiply": torch.mul,
    "add": torch.add,
    "subtract": torch.sub,
    "and": _rounded(torch.logical_and),
    "or": _rounded(torch.logical_or),
    "xor": _rounded(torch.logical_xor),
}


def composite(destination: Tensor, source: Tensor, x: int, y: int, operation: str) -> Tensor:
    """Combine ``source`` with the part of ``destination`` whose upper left corner is (x, y), and clamp to 0 to 1.

    What hangs over the border is cut off. ``and``, ``or`` and ``xor`` round both sides first. Batches are equal, or
    one of them is 1.
    """
    result = destination.expand(max(len(destination), len(source)), -1, -1).clone()
    part = result[:, y : y + source.shape[1], x : x + source.shape[2]]
    part.copy_(OPERATIONS[operation](part, source[:, : part.shape[1], : part.shape[2]]))
    return result.clamp_(0, 1)
