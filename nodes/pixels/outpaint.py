"""Room around a picture, to be painted."""

import torch
from torch import Tensor
from torch.nn.functional import pad


def padded(image: Tensor, left: int, top: int, right: int, bottom: int) -> Tensor:
    """Return pictures (batch, height, width, channels) with grey around them."""
    return pad(image.movedim(-1, 1), (left, right, top, bottom), value=0.5).movedim(1, -1).contiguous()


def outside(height: int, width: int, left: int, top: int, right: int, bottom: int, feathering: int) -> Tensor:
    """Return the mask (1, height, width) of what is around a picture: 1 there, falling off into the picture.

    From an enlarged side it falls as ((feathering - distance) / feathering)^2 over ``feathering`` pixels, unless these
    are half of the picture or more.
    """
    inside = torch.zeros(height, width)
    if feathering > 0 and feathering * 2 < min(height, width):
        down = _distance(height, top > 0, bottom > 0, feathering)
        across = _distance(width, left > 0, right > 0, feathering)
        distance = torch.minimum(down[:, None], across[None])
        inside = ((feathering - distance) / feathering) ** 2
    return pad(inside[None], (left, right, top, bottom), value=1.0)


def _distance(length: int, at_start: bool, at_end: bool, most: int) -> Tensor:
    """Return the distance to the nearer of those ends that count, 0 at the start and 1 at the end, cut at ``most``."""
    places = torch.arange(length)
    start = places if at_start else torch.full((length,), most)
    end = length - places if at_end else torch.full((length,), most)
    return torch.minimum(start, end).clamp(max=most).float()
