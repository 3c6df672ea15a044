"""Edges and morphology of pictures (batch, height, width, channels)."""

from torch import Tensor
from torch.nn.functional import max_pool2d, pad


def canny(image: Tensor, low: float, high: float) -> Tensor:
    """Return edges, 0 or 1 in three channels; 0 < low <= high < 1. Canny (1986), as in kornia."""
    from kornia.filters import canny as find

    found: Tensor = find(image[..., :3].movedim(-1, 1), low, high)[1]
    return found.movedim(1, -1).repeat(1, 1, 1, 3)


def morphology(image: Tensor, operation: str, side: int) -> Tensor:
    """Return a picture after erode, dilate, open, close, gradient, bottom_hat or top_hat over squares of a side.

    What lies outside the picture plays no part. Serra (1982), Image Analysis and Mathematical Morphology.
    """
    planes = image.movedim(-1, 1)
    match operation:
        case "dilate":
            found = dilated(planes, side)
        case "erode":
            found = eroded(planes, side)
        case "open":
            found = dilated(eroded(planes, side), side)
        case "close":
            found = eroded(dilated(planes, side), side)
        case "gradient":
            found = dilated(planes, side) - eroded(planes, side)
        case "bottom_hat":
            found = eroded(dilated(planes, side), side) - planes
        case _:
            found = planes - dilated(eroded(planes, side), side)
    return found.movedim(1, -1).contiguous()


def dilated(planes: Tensor, side: int) -> Tensor:
    """Return the largest value in the square around each pixel; an even side reaches one further up and to the left."""
    before, after = side // 2, (side - 1) // 2
    rows = max_pool2d(pad(planes, (0, 0, before, after), value=-float("inf")), (side, 1), stride=1)
    return max_pool2d(pad(rows, (before, after, 0, 0), value=-float("inf")), (1, side), stride=1)


def eroded(planes: Tensor, side: int) -> Tensor:
    """Return the smallest value in the square around each pixel, which ``dilated`` undoes where nothing was lost."""
    return -dilated(-planes.flip(-1, -2), side).flip(-1, -2)
