"""Heun's method: a trapezoid over the two ends of a step."""

from itertools import pairwise

from torch import Tensor

from nodes.sampling.noise import Noise
from nodes.sampling.seam import Denoiser, OnStep, ignore_step


def heun(denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step) -> Tensor:
    """Algorithm 2 of Karras et al. (2022), arXiv 2206.00364, without churn."""
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma)
        on_step(i, x0)
        d = (x - x0) / sigma
        dt = sigma_next - sigma
        x_2 = x + d * dt
        if sigma_next > 0:
            d_2 = (x_2 - denoise(x_2, sigma_next)) / sigma_next
            x = x + (d + d_2) / 2 * dt
        else:
            x = x_2
    return x


def heunpp2(denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step) -> Tensor:
    """Heun++: slopes of this level and the one or two after it, weighted by level / (count * first level).

    Looks two steps ahead, one step ahead in the last step but one; the last is Euler's. The weights have no published
    derivation; it is a method of first order. Not compared with the reference.
    """
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma)
        on_step(i, x0)
        d = (x - x0) / sigma
        ahead = sigmas[i + 1 : i + 3] if sigma_next > sigmas[-1] else sigmas[:0]
        ahead = ahead[ahead > sigmas[-1]]
        slope = d
        x_k, d_k, level = x, d, sigma
        for target in ahead:
            x_k = x_k + d_k * (target - level)
            d_k, level = (x_k - denoise(x_k, target)) / target, target
            slope = slope + (d_k - d) * target / ((len(ahead) + 1) * sigmas[0])
        x = x + slope * (sigma_next - sigma)
    return x
