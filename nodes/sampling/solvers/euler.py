"""First-order solvers: Euler's method on dx/dsigma = (x - x0) / sigma, and its stochastic and distilled kin."""

from itertools import pairwise

from torch import Tensor

from nodes.sampling.noise import Noise
from nodes.sampling.process import VE, noise_to_signal
from nodes.sampling.seam import Denoiser, GuidedDenoiser, OnStep, ignore_step


def euler(denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step) -> Tensor:
    """Algorithm 2 without its second half of Karras et al. (2022), arXiv 2206.00364; equal to DDIM."""
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma)
        on_step(i, x0)
        d = (x - x0) / sigma
        x = x + d * (sigma_next - sigma)
    return x


def euler_ancestral(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    on_step: OnStep = ignore_step,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """Euler steps below the next level, then noise back up to it (k-diffusion; Song et al. 2021, arXiv 2010.02502)."""
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma)
        on_step(i, x0)
        sigma_down, scale, sigma_up = noise.process.ancestral(sigma, sigma_next, eta)
        d = (x - x0) / sigma
        x = x + d * (sigma_down - sigma)
        if sigma_next > 0 and eta:
            x = x * scale + noise(sigma, sigma_next) * s_noise * sigma_up
    return x


def euler_ancestral_cfg_pp(
    denoise: GuidedDenoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    on_step: OnStep = ignore_step,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """CFG++: from the guided x0 back up along the *unconditional* noise: Chung et al. (2024), arXiv 2406.08070.

    The ancestral split is that of sigma / alpha. Not compared with the reference.
    """
    alpha = noise.process.alpha
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0, uncond = denoise.both(x, sigma)
        on_step(i, x0)
        if sigma_next == 0:
            return x0
        d = (x - alpha(sigma) * uncond) / sigma
        ratio, ratio_next = (noise_to_signal(noise.process, s) for s in (sigma, sigma_next))
        down, _, up = VE.ancestral(ratio, ratio_next, eta)
        x = alpha(sigma_next) * (x0 + down * d)
        if eta:
            x = x + alpha(sigma_next) * noise(sigma, sigma_next) * s_noise * up
    return x


def euler_cfg_pp(
    denoise: GuidedDenoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step
) -> Tensor:
    """CFG++ without fresh noise: Chung et al. (2024), algorithm 2. Not compared with the reference."""
    return euler_ancestral_cfg_pp(denoise, x, sigmas, noise, on_step, eta=0.0)


def ddpm(denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step) -> Tensor:
    """Ancestral sampling of Ho et al. (2020), arXiv 2006.11239, algorithm 2, on x / sqrt(1 + sigma^2)."""
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma)
        on_step(i, x0)
        eps = (x - x0) / sigma
        alpha_bar, alpha_bar_next = 1 / (sigma**2 + 1), 1 / (sigma_next**2 + 1)
        alpha = alpha_bar / alpha_bar_next
        x = (x / (1 + sigma**2) ** 0.5 - (1 - alpha) * eps / (1 - alpha_bar) ** 0.5) / alpha**0.5
        if sigma_next > 0:
            variance = (1 - alpha) * (1 - alpha_bar_next) / (1 - alpha_bar)
            x = (x + variance**0.5 * noise(sigma, sigma_next)) * (1 + sigma_next**2) ** 0.5
    return x


def lcm(denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step) -> Tensor:
    """Multistep consistency sampling: x0, then noise of the next level on it (Luo et al. 2023, arXiv 2310.04378)."""
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x = denoise(x, sigma)
        on_step(i, x)
        if sigma_next > 0:
            x = noise.process.alpha(sigma_next) * x + sigma_next * noise(sigma, sigma_next)
    return x
