"""SA-Solver: stochastic Adams methods, Xue et al. (2023), arXiv 2309.05019, data prediction.

Between two levels x follows an SDE of strength tau, constant over the step; x0 is extrapolated in lambda by a
polynomial through the latest predictions, and the integral of both is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from nodes.sampling.noise import Noise
from nodes.sampling.noise_levels import stable_diffusion
from nodes.sampling.process import Process
from nodes.sampling.seam import Denoiser, OnStep, ignore_step

STOCHASTIC = (0.2, 0.8)
"""The fractions of sampling between which noise is usually added."""


def _adams(lambdas: Tensor, start: Tensor, end: Tensor, tau: float, simple: bool) -> list[float]:
    """For each node j the integral from ``start`` to ``end`` of a exp(-a (end - lambda)) l_j(lambda), a = 1 + tau^2.

    The moments of the weight, solved against the Vandermonde matrix of the nodes; float64. With two nodes ``simple``
    takes the first moment about ``start`` to leading order in the step, a h^2 / 2 (appendix D).
    """
    a, h = 1 + tau**2, (end - start).double()
    u = (lambdas - end).double()
    left = (-a * h).exp()
    moments = [-(-a * h).expm1()]
    for k in range(1, len(u)):
        moments.append(-left * (-h) ** k - k / a * moments[-1])
    if simple and len(u) == 2:
        moments[1] = a * h**2 / 2 - h * moments[0]
    powers = torch.stack([u**k for k in range(len(u))])
    return [float(w) for w in torch.linalg.solve(powers, torch.stack(moments))]


@dataclass(frozen=True, slots=True)
class _Step:
    """The stretch between two levels with the strength of its noise; predictor and corrector integrate over it."""

    process: Process
    sigma: Tensor
    sigma_next: Tensor
    tau: float
    simple: bool

    @property
    def h(self) -> Tensor:
        return self.process.half_log_snr(self.sigma_next) - self.process.half_log_snr(self.sigma)

    def integrated(self, x: Tensor, nodes: Tensor, x0s: Sequence[Tensor]) -> Tensor:
        """The mean at the end of the stretch, with x0 the polynomial through ``x0s`` at the lambdas ``nodes``."""
        ends = self.process.half_log_snr(self.sigma), self.process.half_log_snr(self.sigma_next)
        x = self.sigma_next / self.sigma * (-(self.tau**2) * self.h).exp() * x
        for weight, x0 in zip(_adams(nodes, *ends, self.tau, self.simple), x0s, strict=True):
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
    eta: float = 1.0,
    between: tuple[float, float] | None = None,
    s_noise: float = 1.0,
    predictor_order: int = 3,
    corrector_order: int = 4,
    pece: bool = False,
    simple_order_2: bool = False,
) -> Tensor:
    """Algorithm 1: predict, evaluate, correct; with ``pece`` evaluate once more after the correction.

    tau is ``eta`` at the levels ``between`` a first and a last, else 0; by default between Stable Diffusion's levels
    at a fifth and four fifths of sampling. Orders fall towards an end at 0. Not compared with the reference.
    """
    first, last = between or map(stable_diffusion().sigma_at, STOCHASTIC)
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
        tau = eta if first >= sigma_next.item() >= last else 0.0
        step = _Step(noise.process, sigma, sigma_next, tau, simple_order_2)
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
    eta: float = 1.0,
) -> Tensor:
    """``sa_solver`` that evaluates again after each correction. Not compared with the reference."""
    return sa_solver(denoise, x, sigmas, noise, on_step, eta=eta, pece=True)
