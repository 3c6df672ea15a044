"""Consistency sampling of a latent that grows."""

from collections.abc import Callable
from itertools import pairwise
from typing import TypeAlias

from torch import Tensor
from torch.nn.functional import interpolate

from nodes.sampling.noise import Noise
from nodes.sampling.seam import Denoiser, OnStep, ignore_step

Resize: TypeAlias = Callable[[Tensor, int, int], Tensor]
"""Returns x (batch, channels, height, width) at another width and height."""


def nearest(x: Tensor, width: int, height: int) -> Tensor:
    """Return x at another size, from its nearest neighbours."""
    return interpolate(x, (height, width), mode="nearest-exact")


def lcm_upscale(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    on_step: OnStep = ignore_step,
    *,
    resize: Resize = nearest,
    scale_ratio: float = 1.0,
    scale_steps: int = -1,
) -> Tensor:
    """Multistep consistency sampling (Luo et al. 2023, arXiv 2310.04378) in which x0 grows before noise goes on it.

    In each of the first ``scale_steps`` steps it grows by the same part of its first size, until it is ``scale_ratio``
    times as large; -1 is half of the steps, one at least. Not compared with the reference.
    """
    steps = max(1, len(sigmas) // 2) if scale_steps < 0 else min(scale_steps, len(sigmas))
    height, width = x.shape[-2:]
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x = denoise(x, sigma)
        on_step(i, x)
        if i < steps:
            scale = 1 + (scale_ratio - 1) * (i + 1) / steps
            size = max(1, round(height * scale)), max(1, round(width * scale))
            x = x if x.shape[-2:] == size else resize(x, size[1], size[0])
        if sigma_next > 0:
            x = noise.process.alpha(sigma_next) * x + sigma_next * noise.like(x)
    return x
