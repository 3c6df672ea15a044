"""UniPC: Zhao et al. (2023), arXiv 2302.04867, data prediction, variants B1 and B2, multistep.

Written for x = alpha * x0 + sigma * noise with lambda = log(alpha / sigma).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from nodes.sampling.noise import Noise
from nodes.sampling.seam import Denoiser, OnStep, ignore_step

Variant: TypeAlias = Literal["bh1", "bh2"]

LAST_SIGMA = 0.001
"""Stands in for 0 at the end, where lambda is infinite."""


def _system(r: Tensor, hh: Tensor, variant: Variant) -> tuple[Tensor, Tensor, Tensor]:
    """R, b and B(h) of equation 12 for nodes at r steps (the last is 1, the new level); hh = -h."""
    b_h = hh if variant == "bh1" else hh.expm1()
    phi, factorial = hh.expm1() / hh - 1, 1
    rows, b = [], []
    for i in range(len(r)):
        rows.append(r**i)
        b.append(phi * factorial / b_h)
        factorial *= i + 2
        phi = phi / hh - 1 / factorial
    return torch.stack(rows), torch.stack(b), b_h


def _update(
    base: Tensor, alpha: Tensor, b_h: Tensor, rho: Sequence[Tensor | float], differences: Sequence[Tensor]
) -> Tensor:
    for weight, d in zip(rho, differences, strict=True):
        base = base - alpha * b_h * weight * d
    return base


def _uni_pc(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep, variant: Variant, order: int = 3
) -> Tensor:
    """Predictor UniP-p and corrector UniC-p. Orders rise at first and fall at the end; the last is not corrected."""
    if len(sigmas) < 2:
        return x
    sigmas = torch.cat([sigmas[:-1], sigmas[-1:].clamp(min=LAST_SIGMA)])
    lambdas, alphas = noise.process.half_log_snr(sigmas), noise.process.alpha(sigmas)
    steps = len(sigmas) - 1
    highest = max(1, min(order, steps - 1))
    x0s = [denoise(x, sigmas[0])]
    on_step(0, x0s[0])
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        p = min(highest, i + 1, steps - i)
        h = lambdas[i + 1] - lambdas[i]
        m_0, past = x0s[-1], x0s[-p:-1][::-1]
        r = (lambdas[[*range(i - 1, i - p, -1), i + 1]] - lambdas[i]) / h
        matrix, b, b_h = _system(r, -h, variant)
        differences = [(m - m_0) / r_k for m, r_k in zip(past, r, strict=False)]
        alpha = alphas[i + 1]
        base = sigma_next / sigma * x - alpha * (-h).expm1() * m_0
        rho_p = [0.5] if p == 2 else list(torch.linalg.solve(matrix[:-1, :-1], b[:-1]))
        x = _update(base, alpha, b_h, rho_p, differences)
        if i + 1 < steps:
            m_t = denoise(x, sigma_next)
            on_step(i + 1, m_t)
            rho_c = [0.5] if p == 1 else list(torch.linalg.solve(matrix, b))
            x = _update(base, alpha, b_h, rho_c, [*differences, m_t - m_0])
            x0s = [*x0s, m_t][-highest:]
    return x


def uni_pc(denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step) -> Tensor:
    """UniPC-3 with B(h) = h."""
    return _uni_pc(denoise, x, sigmas, noise, on_step, "bh1")


def uni_pc_bh2(denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step) -> Tensor:
    """UniPC-3 with B(h) = exp(h) - 1. Not compared with the reference."""
    return _uni_pc(denoise, x, sigmas, noise, on_step, "bh2")
