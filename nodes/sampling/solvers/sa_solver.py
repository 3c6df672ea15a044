"""SA-Solver: stochastic Adams methods, Xue et al. (2023), arXiv 2309.05019, data prediction.

Between two levels x follows an SDE of strength tau, constant over the step; x0 is extrapolated in lambda by a
polynomial through the latest predictions, and the integral of both is exact.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor

from nodes.sampling.noise import Noise
from nodes.sampling.noise_levels import NoiseLevels, stable_diffusion
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


def _sum(weights: Sequence[float], x0s: Sequence[Tensor]) -> Tensor:
    return torch.stack([w * x0 for w, x0 in zip(weights, x0s, strict=True)]).sum(dim=0)


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
    lambdas, alpha = noise.process.half_log_snr(sigmas), noise.process.alpha
    to_zero, last = bool(sigmas[-1] == 0), len(sigmas) - 1
    x0s: list[Tensor] = []
    predicted, fresh, strength = x, None, 0.0

    def integrated(i: int, order: int, start: int, x: Tensor) -> Tensor:
        """x from level ``start`` to the one after it, through the ``order`` predictions up to level i."""
        sigma, sigma_next = sigmas[start], sigmas[start + 1]
        h = lambdas[start + 1] - lambdas[start]
        weights = _adams(lambdas[i + 1 - order : i + 1], lambdas[start], lambdas[start + 1], strength)
        kept = sigma_next / sigma * (-(strength**2) * h).exp() * x
        return kept + alpha(sigma_next) * _sum(weights, x0s[-order:])

    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoise(predicted, sigma)
        on_step(i, x0)
        x0s = [*x0s, x0][-max(predictor_order, corrector_order) :]
        order = min(corrector_order, len(x0s), last - i if to_zero else corrector_order)
        if i and order and (pece or sigma_next > 0):
            x = integrated(i, order, i - 1, x)
            x = x if fresh is None else x + fresh
            if pece:
                x0s[-1] = x0 = denoise(x, sigma)
        else:
            x = predicted
        if sigma_next == 0:
            return x0
        strength = tau(sigma_next)
        order = min(predictor_order, len(x0s), last - 1 - i if to_zero else predictor_order)
        predicted = integrated(i, order, i, x)
        h = lambdas[i + 1] - lambdas[i]
        fresh = None
        if strength and s_noise:
            fresh = noise(sigma, sigma_next) * sigma_next * (-(-2 * strength**2 * h).expm1()).sqrt() * s_noise
            predicted = predicted + fresh
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
