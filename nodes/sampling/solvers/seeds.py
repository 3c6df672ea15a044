"""SEEDS: exponential integrators for the reverse SDE of orders 2 and 3: Gonzalez et al. (2023), arXiv 2305.14267.

lambda = log(alpha / sigma), h the step in it. Steps to 0 return x0. The noise of a step is drawn once per stretch
between its stages and shared by the stages behind it.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from nodes.sampling.noise import Noise
from nodes.sampling.process import Process
from nodes.sampling.seam import Denoiser, OnStep, ignore_step


class _Stages:
    """One step cut at fractions c of h: the exact parts of its stages."""

    def __init__(
        self, x: Tensor, sigma: Tensor, sigma_next: Tensor, cuts: Sequence[float], eta: float, p: Process
    ) -> None:
        start, end = p.half_log_snr(sigma), p.half_log_snr(sigma_next)
        self.x, self.sigma, self.eta = x, sigma, eta
        self.h = end - start
        self.c = (0.0, *cuts, 1.0)
        self.sigmas = [sigma, *(p.sigma(torch.lerp(start, end, c)) for c in cuts), sigma_next]
        self.alphas = [p.alpha(s) for s in self.sigmas]

    def draw(self, noise: Noise, s_noise: float) -> list[Tensor]:
        """Noise of each stretch. Without any, nothing is drawn."""
        return [noise(a, b) * s_noise for a, b in pairwise(self.sigmas)] if self.eta and s_noise else []

    def phi_1(self, k: int) -> Tensor:
        """-expm1(-c_k h (1 + eta)): how much x0 stage k has taken in."""
        return -(-self.c[k] * self.h * (1 + self.eta)).expm1()

    def phi_2(self, k: int) -> Tensor:
        """The weight of x0's slope at stage k, per unit of c_k."""
        return 1 - self.phi_1(k) / (self.c[k] * self.h * (1 + self.eta))

    def at(self, k: int, x0: Tensor, draws: Sequence[Tensor]) -> Tensor:
        """Stage k for a constant x0, with the noise of the stretches before it, each faded by the rest of its way."""
        x = self.sigmas[k] / self.sigma * (-self.c[k] * self.h * self.eta).exp() * self.x
        x = x + self.alphas[k] * self.phi_1(k) * x0
        for j, z in enumerate(draws[:k]):
            rest, length = self.c[k] - self.c[j + 1], self.c[j + 1] - self.c[j]
            fade = (-rest * self.h * self.eta).exp()
            x = x + self.sigmas[k] * fade * (-(-2 * length * self.h * self.eta).expm1()).sqrt() * z
        return x


def seeds_2(
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
    """SEEDS-2: two stages. Not compared with the reference."""
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma)
        on_step(i, x0)
        if sigma_next == 0:
            return x0
        stages = _Stages(x, sigma, sigma_next, (r,), eta, noise.process)
        draws = stages.draw(noise, s_noise)
        x0_2 = denoise(stages.at(1, x0, draws), stages.sigmas[1])
        x = stages.at(2, torch.lerp(x0, x0_2, 1 / (2 * r)), draws)
    return x


def seeds_3(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    on_step: OnStep = ignore_step,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r_1: float = 1 / 3,
    r_2: float = 2 / 3,
) -> Tensor:
    """SEEDS-3: three stages. Not compared with the reference."""
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma)
        on_step(i, x0)
        if sigma_next == 0:
            return x0
        stages = _Stages(x, sigma, sigma_next, (r_1, r_2), eta, noise.process)
        draws = stages.draw(noise, s_noise)
        x0_2 = denoise(stages.at(1, x0, draws), stages.sigmas[1])
        x_3 = stages.at(2, x0, draws) + (r_2 / r_1) * stages.alphas[2] * stages.phi_2(2) * (x0_2 - x0)
        x0_3 = denoise(x_3, stages.sigmas[2])
        x = stages.at(3, x0, draws) + stages.alphas[3] / r_2 * stages.phi_2(3) * (x0_3 - x0)
    return x
