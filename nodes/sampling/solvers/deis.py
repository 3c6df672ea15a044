"""DEIS: Zhang and Chen (2022), arXiv 2204.13902, tAB variant.

The slopes are extrapolated by a polynomial in the time t of a variance-preserving process with linear beta(t), and its
integral against the process's weight is taken numerically. Levels and constants are diff-sampler's.
"""

import math
from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from nodes.sampling.noise import Noise
from nodes.sampling.seam import Denoiser, OnStep, ignore_step
from nodes.sampling.solvers.adams import multistep

SIGMA_MIN, SIGMA_MAX, EPS_S = 0.002, 80.0, 1e-3
POINTS = 10_000

_LOG_MIN, _LOG_MAX = math.log(SIGMA_MIN**2 + 1), math.log(SIGMA_MAX**2 + 1)
BETA_D = 2 * (_LOG_MIN / EPS_S - _LOG_MAX) / (EPS_S - 1)
BETA_MIN = _LOG_MAX - BETA_D / 2


def vp_time(sigmas: Tensor) -> Tensor:
    """t of the process beta(t) = BETA_MIN + BETA_D * t where its sigma / alpha is ``sigmas``."""
    return ((BETA_MIN**2 + 2 * BETA_D * (sigmas**2 + 1).log()).sqrt() - BETA_MIN) / BETA_D


def _weights(times: Tensor, i: int, order: int) -> list[float]:
    """Integrals over step i of dsigma/dt times each Lagrange polynomial in t: the mean of 10,000 points."""
    taus = torch.linspace(times[i].item(), times[i + 1].item(), POINTS, dtype=torch.float64)
    alpha = torch.exp(-0.5 * BETA_D * taus**2 - BETA_MIN * taus)
    weight = 0.5 * (BETA_D * taus + BETA_MIN) / (alpha * (1 - alpha)).sqrt()
    nodes = times[: i + 1].flip(0)[:order].tolist()
    step = (times[i + 1] - times[i]).item()

    def integral(j: int) -> float:
        basis = prod(((taus - t) / (nodes[j] - t) for k, t in enumerate(nodes) if k != j), start=torch.ones_like(taus))
        return (weight * basis).mean().item() * step

    return [integral(j) for j in range(order)]


def deis(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step, *, max_order: int = 3
) -> Tensor:
    """tAB-DEIS; the first step is Euler's, steps to 0 return x0. Not compared with the reference."""
    times = vp_time(sigmas)

    def weights(i: int, ts: Sequence[float]) -> list[float]:
        return _weights(times, i, min(max_order, i + 1)) if i else [ts[1] - ts[0]]

    return multistep(denoise, x, sigmas, on_step, weights)
