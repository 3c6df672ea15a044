"""Gradient estimation: Permenter and Yuan (2023), arXiv 2306.04848, algorithm 2."""

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor

from nodes.sampling.noise import Noise
from nodes.sampling.seam import Denoiser, Guided, GuidedDenoiser, OnStep, ignore_step


def _gradient_estimation(
    predict: Callable[[Tensor, Tensor], Guided], x: Tensor, sigmas: Tensor, on_step: OnStep, gamma: float
) -> Tensor:
    """x0 plus unconditional noise of the next level, the noise extrapolated by gamma - 1."""
    d_prev = None
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0, uncond = predict(x, sigma)
        on_step(i, x0)
        if sigma_next == 0:
            return x0
        d = (x - uncond) / sigma
        x = x0 + d * sigma_next
        if d_prev is not None:
            x = x + (gamma - 1) * (d - d_prev) * (sigma_next - sigma)
        d_prev = d
    return x


def gradient_estimation(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step, *, gamma: float = 2.0
) -> Tensor:
    """Euler steps along gamma * d + (1 - gamma) * d of the step before. Not compared with the reference."""

    def predict(x: Tensor, sigma: Tensor) -> Guided:
        x0 = denoise(x, sigma)
        return Guided(x0, x0)

    return _gradient_estimation(predict, x, sigmas, on_step, gamma)


def gradient_estimation_cfg_pp(
    denoise: GuidedDenoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    on_step: OnStep = ignore_step,
    *,
    gamma: float = 2.0,
) -> Tensor:
    """In the manner of CFG++ (Chung et al. 2024, arXiv 2406.08070). Not compared with the reference."""
    return _gradient_estimation(denoise.both, x, sigmas, on_step, gamma)
