"""Extended reverse-time SDE solvers: Cui et al. (2023), arXiv 2309.06169."""

from collections.abc import Callable
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor

from nodes.sampling.noise import Noise
from nodes.sampling.process import noise_to_signal
from nodes.sampling.seam import Denoiser, OnStep, ignore_step

Scale: TypeAlias = Callable[[Tensor], Tensor]
"""phi(r): how much of the noise is kept between two levels is the ratio of their phi."""

POINTS = 200
"""Points of the rectangle rule for the two integrals of 1 / phi."""


def er_scale(ratio: Tensor) -> Tensor:
    """phi of the paper's ER-SDE 5."""
    return ratio * ((ratio**0.3).exp() + 10.0)


def _reverse_time(eta: float) -> Scale:
    """phi of the reverse SDE of strength ``eta``."""
    return lambda ratio: ratio ** (eta + 1)


def er_sde(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    on_step: OnStep = ignore_step,
    *,
    max_stage: int = 3,
    s_noise: float = 1.0,
    eta: float | None = None,
) -> Tensor:
    """Algorithm of ER-SDE-Solver-1 to -3 in the ratio r = sigma / alpha. Not compared with the reference.

    ``eta`` None takes the paper's ER-SDE 5, a number the reverse SDE of that strength, 0 the ODE.
    """
    process = noise.process
    phi = er_scale if eta is None else _reverse_time(eta)
    past: list[tuple[Tensor, Tensor]] = []  # (r, x0) of earlier steps, latest first
    slope_prev: Tensor | None = None
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma)
        on_step(i, x0)
        if sigma_next == 0:
            return x0
        r, r_next = (noise_to_signal(process, s) for s in (sigma, sigma_next))
        keep = phi(r_next) / phi(r)
        y = keep * r / sigma * x + (1 - keep) * x0
        slope = None
        if past and max_stage >= 2:
            first, second = _integrals(r, r_next, phi)
            slope = (x0 - past[0][1]) / (r - past[0][0])
            y = y + (r_next - r + first * phi(r_next)) * slope
            if slope_prev is not None and max_stage >= 3:
                bend = (slope - slope_prev) / ((r - past[1][0]) / 2)
                y = y + ((r_next - r) ** 2 / 2 + second * phi(r_next)) * bend
        if s_noise and eta != 0:
            y = y + noise(sigma, sigma_next) * s_noise * (r_next**2 - r**2 * keep**2).clamp(min=0).sqrt()
        x = process.alpha(sigma_next) * y
        past, slope_prev = [(r, x0), *past[:1]], slope
    return x


def _integrals(r: Tensor, r_next: Tensor, phi: Scale) -> tuple[Tensor, Tensor]:
    """Of 1 / phi(s) and (s - r) / phi(s) over s from r_next to r."""
    ds = (r - r_next) / POINTS
    s = r_next + torch.arange(POINTS) * ds
    return (1 / phi(s)).sum() * ds, ((s - r) / phi(s)).sum() * ds
