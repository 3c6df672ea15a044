"""DPM-Solver++ for the reverse SDE: Lu et al. (2022), arXiv 2211.01095, with k-diffusion's settings and orders.

lambda = log(alpha / sigma), h the step in it; eta 1 is the reverse SDE, eta 0 the ODE. Steps to 0 return x0.
"""

from itertools import pairwise
from typing import Literal

from torch import Tensor

from nodes.sampling.noise import Noise
from nodes.sampling.process import VE, noise_to_signal
from nodes.sampling.seam import Denoiser, OnStep, ignore_step


def dpmpp_sde(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    on_step: OnStep = ignore_step,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r: float = 1 / 2,
) -> Tensor:
    """Two stages a step, the first of them ancestral as well: DPM-Solver++(S)."""
    process = noise.process
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma)
        on_step(i, x0)
        if sigma_next == 0:
            return x0
        t, t_next = process.half_log_snr(sigma), process.half_log_snr(sigma_next)
        sigma_mid = process.sigma(t + r * (t_next - t))
        x_2 = _ancestral_step(x, x0, sigma, sigma_mid, noise, eta, s_noise)
        x0_2 = denoise(x_2, sigma_mid)
        fac = 1 / (2 * r)
        x = _ancestral_step(x, (1 - fac) * x0 + fac * x0_2, sigma, sigma_next, noise, eta, s_noise)
    return x


def _ancestral_step(
    x: Tensor, x0: Tensor, sigma: Tensor, sigma_next: Tensor, noise: Noise, eta: float, s_noise: float
) -> Tensor:
    """An exact step for a constant x0 in the ratio sigma / alpha, with ``eta`` of its noise renewed."""
    alpha_next = noise.process.alpha(sigma_next)
    ratio = noise_to_signal(noise.process, sigma)
    down, _, up = VE.ancestral(ratio, noise_to_signal(noise.process, sigma_next), eta)
    x = alpha_next * (down / sigma * x - (down.log() - ratio.log()).expm1() * x0)
    return x + alpha_next * noise(sigma, sigma_next) * s_noise * up if eta else x


def dpmpp_2m_sde(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    on_step: OnStep = ignore_step,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    solver_type: Literal["midpoint", "heun"] = "midpoint",
) -> Tensor:
    """SDE-DPM-Solver++(2M); ``solver_type`` chooses how the slope of x0 is weighted."""
    x0_prev, h_prev = None, None
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma)
        on_step(i, x0)
        if sigma_next == 0:
            return x0
        h, alpha_next = _lambda_step(noise, sigma, sigma_next)
        h_eta = h * (1 + eta)
        x = sigma_next / sigma * (-h * eta).exp() * x - alpha_next * (-h_eta).expm1() * x0
        if x0_prev is not None and h_prev is not None:
            phi = -(-h_eta).expm1()
            weight = 0.5 * phi if solver_type == "midpoint" else phi / -h_eta + 1
            x = x + alpha_next * weight * (h / h_prev) * (x0 - x0_prev)
        x = x + _fresh(noise, sigma, sigma_next, h, eta, s_noise)
        x0_prev, h_prev = x0, h
    return x


def dpmpp_2m_sde_heun(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step
) -> Tensor:
    """``dpmpp_2m_sde`` with the weights of the exponential Heun method."""
    return dpmpp_2m_sde(denoise, x, sigmas, noise, on_step, solver_type="heun")


def dpmpp_3m_sde(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    on_step: OnStep = ignore_step,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """SDE-DPM-Solver++(3M) of k-diffusion: a parabola through the last three x0."""
    past: list[tuple[Tensor, Tensor]] = []  # (x0, h) of earlier steps, latest first
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma)
        on_step(i, x0)
        if sigma_next == 0:
            return x0
        h, alpha_next = _lambda_step(noise, sigma, sigma_next)
        h_eta = h * (1 + eta)
        x = sigma_next / sigma * (-h * eta).exp() * x - alpha_next * (-h_eta).expm1() * x0
        if past:
            x = x + alpha_next * _curvature(x0, past, h, h_eta)
        x = x + _fresh(noise, sigma, sigma_next, h, eta, s_noise)
        past = [(x0, h), *past[:1]]
    return x


def _curvature(x0: Tensor, past: list[tuple[Tensor, Tensor]], h: Tensor, h_eta: Tensor) -> Tensor:
    """What the first and second differences of x0 add to a step."""
    phi_2 = (-h_eta).expm1() / h_eta + 1
    x0_1, h_1 = past[0]
    r_0 = h_1 / h
    d1_0 = (x0 - x0_1) / r_0
    if len(past) == 1:
        return phi_2 * d1_0
    x0_2, h_2 = past[1]
    r_1 = h_2 / h
    d1_1 = (x0_1 - x0_2) / r_1
    d1 = d1_0 + (d1_0 - d1_1) * r_0 / (r_0 + r_1)
    d2 = (d1_0 - d1_1) / (r_0 + r_1)
    return phi_2 * d1 - (phi_2 / h_eta - 0.5) * d2


def _lambda_step(noise: Noise, sigma: Tensor, sigma_next: Tensor) -> tuple[Tensor, Tensor]:
    h = noise.process.half_log_snr(sigma_next) - noise.process.half_log_snr(sigma)
    return h, noise.process.alpha(sigma_next)


def _fresh(noise: Noise, sigma: Tensor, sigma_next: Tensor, h: Tensor, eta: float, s_noise: float) -> Tensor | float:
    if not eta:
        return 0.0
    return noise(sigma, sigma_next) * sigma_next * (-(-2 * h * eta).expm1()).sqrt() * s_noise
