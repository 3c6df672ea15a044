"""Blur pictures."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad


def gaussian_blur(image: Tensor, radius: int, sigma: float) -> Tensor:
    """Blur (batch, height, width, channels) with a Gaussian over (2 radius + 1) squared pixels.

    ``sigma`` is in units of ``radius``: the kernel's edge lies at distance 1. The border is reflected, so both sides
    of the picture are longer than ``radius``.
    """
    weights = gaussian_weights(radius, sigma, image.device).to(image.dtype)
    channels = image.shape[-1]
    planes = pad(image.movedim(-1, 1), (radius,) * 4, mode="reflect")
    rows = conv2d(planes, weights.view(1, 1, 1, -1).expand(channels, -1, -1, -1), groups=channels)
    blurred = conv2d(rows, weights.view(1, 1, -1, 1).expand(channels, -1, -1, -1), groups=channels)
    return blurred.movedim(1, -1).contiguous()


def gaussian_weights(radius: int, sigma: float, device: torch.device | str = "cpu") -> Tensor:
    """Return the 2 radius + 1 weights of one axis; they add up to 1. The square kernel is their outer product."""
    distance = torch.linspace(-1, 1, 2 * radius + 1, device=device)
    weights = (-(distance**2) / (2 * sigma**2)).exp()
    return weights / weights.sum()
