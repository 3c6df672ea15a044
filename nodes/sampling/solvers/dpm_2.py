"""A midpoint method in log sigma, after DPM-Solver-2 (Lu et al. 2022, arXiv 2206.00927)."""

from itertools import pairwise

from torch import Tensor

from nodes.sampling.noise import Noise
from nodes.sampling.seam import Denoiser, OnStep, ignore_step


def dpm_2(denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step) -> Tensor:
    """The slope at the geometric mean of both levels, over the whole step (k-diffusion)."""
    return dpm_2_ancestral(denoise, x, sigmas, noise, on_step, eta=0.0)


def dpm_2_ancestral(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    on_step: OnStep = ignore_step,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """``dpm_2`` down below the next level, then noise back up to it (k-diffusion)."""
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma)
        on_step(i, x0)
        sigma_down, scale, sigma_up = noise.process.ancestral(sigma, sigma_next, eta)
        d = (x - x0) / sigma
        if sigma_down > 0:
            sigma_mid = sigma.log().lerp(sigma_down.log(), 0.5).exp()
            x_2 = x + d * (sigma_mid - sigma)
            d = (x_2 - denoise(x_2, sigma_mid)) / sigma_mid
        x = x + d * (sigma_down - sigma)
        if sigma_next > 0 and eta:
            x = x * scale + noise(sigma, sigma_next) * s_noise * sigma_up
    return x
