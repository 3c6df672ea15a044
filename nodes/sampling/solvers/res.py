"""The multistep RES solver: Zhang et al. (2023), arXiv 2308.02157, second order with its second stage in the past.

The first step and steps to 0 are Euler's. The ancestral variants step down below the next level and add noise.
"""

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor

from nodes.sampling.noise import Noise
from nodes.sampling.seam import Denoiser, Guided, GuidedDenoiser, OnStep, ignore_step


def _res_multistep(
    predict: Callable[[Tensor, Tensor], Guided],
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    on_step: OnStep,
    eta: float,
    s_noise: float,
) -> Tensor:
    """Both kinds: CFG++ extrapolates the unconditional x0 and carries x0 - uncond in x. Plain ones have them equal."""
    uncond_prev = sigma_prev = down_prev = None
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0, uncond = predict(x, sigma)
        on_step(i, x0)
        down, scale, up = noise.process.ancestral(sigma, sigma_next, eta)
        if down == 0 or uncond_prev is None or sigma_prev is None or down_prev is None:
            x = x0 + (x - uncond) / sigma * down
        else:
            h = sigma.log() - down.log()
            b_1, b_2 = _coefficients(h, (down_prev.log() - sigma_prev.log()) / h)
            x = (-h).exp() * (x + (x0 - uncond)) + h * (b_1 * uncond + b_2 * uncond_prev)
        if sigma_next > 0 and eta:
            x = x * scale + noise(sigma, sigma_next) * s_noise * up
        uncond_prev, sigma_prev, down_prev = uncond, sigma, down
    return x


def _coefficients(h: Tensor, c_2: Tensor) -> tuple[Tensor, Tensor]:
    """b_1 and b_2 of the exponential integrator whose second node lies c_2 steps ahead (negative: in the past)."""
    phi_1 = (-h).expm1() / -h
    phi_2 = (phi_1 - 1) / -h
    b_2 = (phi_2 / c_2).nan_to_num(nan=0.0)
    return (phi_1 - phi_2 / c_2).nan_to_num(nan=0.0), b_2


def _plain(denoise: Denoiser) -> Callable[[Tensor, Tensor], Guided]:
    def predict(x: Tensor, sigma: Tensor) -> Guided:
        x0 = denoise(x, sigma)
        return Guided(x0, x0)

    return predict


def res_multistep(denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step) -> Tensor:
    """The deterministic solver."""
    return _res_multistep(_plain(denoise), x, sigmas, noise, on_step, 0.0, 0.0)


def res_multistep_cfg_pp(
    denoise: GuidedDenoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step
) -> Tensor:
    """In the manner of CFG++ (Chung et al. 2024, arXiv 2406.08070). Not compared with the reference."""
    return _res_multistep(denoise.both, x, sigmas, noise, on_step, 0.0, 0.0)


def res_multistep_ancestral(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    on_step: OnStep = ignore_step,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """With noise put back at each step. Not compared with the reference."""
    return _res_multistep(_plain(denoise), x, sigmas, noise, on_step, eta, s_noise)


def res_multistep_ancestral_cfg_pp(
    denoise: GuidedDenoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    on_step: OnStep = ignore_step,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """CFG++ with noise put back at each step. Not compared with the reference."""
    return _res_multistep(denoise.both, x, sigmas, noise, on_step, eta, s_noise)
