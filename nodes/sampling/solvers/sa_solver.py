"""SA-Solver: stochastic Adams methods, Xue et al. (2023), arXiv 2309.05019, data prediction.

Between two levels x follows an SDE of strength tau, constant over the step; x0 is extrapolated in lambda by a
polynomial through the latest predictions, and the integral of both is exact.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor

from nodes.sampling.noise import Noise
from nodes.sampling.noise_levels import NoiseLevels, stable_diffusion
from nodes.sampling.process import Process
from nodes.sampling.seam import Denoiser, OnStep, ignore_step

Strength: TypeAlias = Callable[[Tensor], float]
"""tau(sigma): 0 is the ODE, 1 the reverse SDE."""


def stochastic_between(levels: NoiseLevels, eta: float = 1.0, start: float = 0.2, end: float = 0.8) -> Strength:
    """tau = eta while between the fractions ``start`` and ``end`` of sampling are done, 0 outside."""
    first, last = levels.sigma_at(start), levels.sigma_at(end)
    return lambda sigma: eta if first >= sigma.item() >= last else 0.0


def _adams(lambdas: Tensor, start: Tensor, end: Tensor, tau: float) -> list[float]:
    """For each node j the integral from ``start`` to ``end`` of a exp(-a (end - lambda)) l_j(lambda), a = 1 + tau^2.

    The moments of the weight, solved against the Vandermonde matrix of the nodes; float64.
    """
    a, h = 1 + tau**2, (end - start).double()
    u = (lambdas - end).double()
    left = (-a * h).exp()
    moments = [-(-a * h).expm1()]
    for k in range(1, len(u)):
        moments.append(-left * (-h) ** k - k / a * moments[-1])
    powers = torch.stack([u**k for k in range(len(u))])
    return [float(w) for w in torch.linalg.solve(powers, torch.stack(moments))]


@dataclass(frozen=True, slots=True)
class _Step:
    """The stretch between two levels with the strength of its noise; predictor and corrector integrate over it."""

    process: Process
    sigma: Tensor
    sigma_next: Tensor
    tau: float

    @property
    def h(self) -> Tensor:
        return self.process.half_log_snr(self.sigma_next) - self.process.half_log_snr(self.sigma)

    def integrated(self, x: Tensor, nodes: Tensor, x0s: Sequence[Tensor]) -> Tensor:
        """The mean at the end of the stretch, with x0 the polynomial through ``x0s`` at the lambdas ``nodes``."""
        ends = self.process.half_log_snr(self.sigma), self.process.half_log_snr(self.sigma_next)
        x = self.sigma_next / self.sigma * (-(self.tau**2) * self.h).exp() * x
        for weight, x0 in zip(_adams(nodes, *ends, self.tau), x0s, strict=True):
            x = x + self.process.alpha(self.sigma_next) * weight * x0
        return x

    def fresh(self, noise: Noise, s_noise: float) -> Tensor | float:
        if not (self.tau and s_noise):
            return 0.0
        variance = -(-2 * self.tau**2 * self.h).expm1()
        return noise(self.sigma, self.sigma_next) * self.sigma_next * variance.sqrt() * s_noise


def sa_solver(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    on_step: OnStep = ignore_step,
    *,
    tau: Strength | None = None,
    s_noise: float = 1.0,
    predictor_order: int = 3,
    corrector_order: int = 4,
    pece: bool = False,
) -> Tensor:
    """Algorithm 1: predict, evaluate, correct; with ``pece`` evaluate once more after the correction.

    ``tau`` is by default ``stochastic_between`` of Stable Diffusion's levels. Orders fall towards an end at 0.
    Not compared with the reference.
    """
    tau = tau or stochastic_between(stable_diffusion())
    lambdas = noise.process.half_log_snr(sigmas)
    left = len(sigmas) - 1 if sigmas[-1] == 0 else max(predictor_order, corrector_order) + len(sigmas)
    x0s: list[Tensor] = []
    predicted = x
    step: _Step | None = None
    fresh: Tensor | float = 0.0
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoise(predicted, sigma)
        on_step(i, x0)
        x0s = [*x0s, x0][-max(predictor_order, corrector_order) :]
        order = min(corrector_order, len(x0s), left - i)
        if step and order and (pece or sigma_next > 0):
            x = step.integrated(x, lambdas[i + 1 - order : i + 1], x0s[-order:]) + fresh
            if pece:
                x0s[-1] = x0 = denoise(x, sigma)
        else:
            x = predicted
        if sigma_next == 0:
            return x0
        step = _Step(noise.process, sigma, sigma_next, tau(sigma_next))
        order = min(predictor_order, len(x0s), left - 1 - i)
        fresh = step.fresh(noise, s_noise)
        predicted = step.integrated(x, lambdas[i + 1 - order : i + 1], x0s[-order:]) + fresh
    return predicted


def sa_solver_pece(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    on_step: OnStep = ignore_step,
    *,
    tau: Strength | None = None,
) -> Tensor:
    """``sa_solver`` that evaluates again after each correction. Not compared with the reference."""
    return sa_solver(denoise, x, sigmas, noise, on_step, tau=tau, pece=True)
