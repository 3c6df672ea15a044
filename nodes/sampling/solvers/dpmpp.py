"""DPM-Solver++ without noise inside the step: Lu et al. (2022), arXiv 2211.01095, with lambda = -log sigma."""

from itertools import pairwise

from torch import Tensor

from nodes.sampling.noise import Noise
from nodes.sampling.seam import Denoiser, GuidedDenoiser, OnStep, ignore_step


def dpmpp_2m(denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step) -> Tensor:
    """Algorithm 2 (2M); the last step down to 0 is of first order."""
    x0_prev, h_prev = None, None
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma)
        on_step(i, x0)
        h = sigma.log() - sigma_next.log()
        d = x0
        if x0_prev is not None and h_prev is not None and sigma_next > 0:
            r = h_prev / h
            d = (1 + 1 / (2 * r)) * x0 - (1 / (2 * r)) * x0_prev
        x = (sigma_next / sigma) * x - (-h).expm1() * d
        x0_prev, h_prev = x0, h
    return x


def dpmpp_2m_cfg_pp(
    denoise: GuidedDenoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step
) -> Tensor:
    """2M in the manner of CFG++ (Chung et al. 2024, arXiv 2406.08070): the guided x0 plus unconditional noise.

    Not compared with the reference.
    """
    uncond_prev, h_prev = None, None
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0, uncond = denoise.both(x, sigma)
        on_step(i, x0)
        if sigma_next == 0:
            return x0
        h = sigma.log() - sigma_next.log()
        step = (sigma_next / sigma) * (x - uncond) + x0
        if uncond_prev is not None and h_prev is not None:
            step = step - (-h).expm1() * h / (2 * h_prev) * (x0 - uncond_prev)
        x = step
        uncond_prev, h_prev = uncond, h
    return x


def dpmpp_2s_ancestral(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    on_step: OnStep = ignore_step,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """Algorithm 1 (2S, r = 1/2) down below the next level, then noise back up to it (k-diffusion)."""
    process = noise.process
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma)
        on_step(i, x0)
        sigma_down, scale, sigma_up = process.ancestral(sigma, sigma_next, eta)
        if sigma_down == 0:
            x = x + (x - x0) / sigma * (sigma_down - sigma)
        else:
            middle = process.sigma((process.half_log_snr(sigma) + process.half_log_snr(sigma_down)) / 2)
            x_2 = (middle / sigma) * x + _signal(noise, sigma, middle) * x0
            x = (sigma_down / sigma) * x + _signal(noise, sigma, sigma_down) * denoise(x_2, middle)
        if sigma_next > 0 and eta:
            x = x * scale + noise(sigma, sigma_next) * s_noise * sigma_up
    return x


def _signal(noise: Noise, sigma: Tensor, sigma_next: Tensor) -> Tensor:
    """How much x0 a step brings in: -alpha_next * expm1(-h) with h the step in lambda."""
    process = noise.process
    return -process.alpha(sigma_next) * (process.half_log_snr(sigma) - process.half_log_snr(sigma_next)).expm1()


def dpmpp_2s_ancestral_cfg_pp(
    denoise: GuidedDenoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    on_step: OnStep = ignore_step,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """2S in the manner of CFG++ (Chung et al. 2024): x carries x0 - uncond along. Not compared with the reference."""
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0, uncond = denoise.both(x, sigma)
        on_step(i, x0)
        sigma_down, scale, sigma_up = noise.process.ancestral(sigma, sigma_next, eta)
        if sigma_down == 0:
            x = x0
        else:
            h = sigma.log() - sigma_down.log()
            moved = x + (x0 - uncond)
            x_2 = (-h / 2).exp() * moved - (-h / 2).expm1() * x0
            x0_2 = denoise(x_2, (sigma.log() - h / 2).exp())
            x = (sigma_down / sigma) * moved - (-h).expm1() * x0_2
        if sigma_next > 0 and eta:
            x = x * scale + noise(sigma, sigma_next) * s_noise * sigma_up
    return x
