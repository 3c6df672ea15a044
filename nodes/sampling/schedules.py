"""Schedules: which noise levels a run visits.

Each takes the model's levels and a number of steps n and returns float32 sigmas on the CPU, falling, ending in 0,
n + 1 values unless its docstring says otherwise. A new schedule is one function and one line in ``SCHEDULES``.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy
import torch
from scipy.special import betaincinv
from torch import Tensor

from nodes.sampling.noise_levels import NoiseLevels, stable_diffusion

Schedule: TypeAlias = Callable[[NoiseLevels, int], Tensor]


def _rounded(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return a function of float32 numbers, correctly rounded.

    Computed in float32 its last bit would depend on the processor, and with it every picture.
    """
    return function(x.double()).float()


def _even(first: float, last: float, n: int) -> Tensor:
    """Return n float32 numbers from ``first`` to ``last``, counted from the nearer end, each rounded once.

    That is what torch.linspace gives on processors with a fused multiply-add.
    """
    if n == 1:
        return torch.tensor([first], dtype=torch.float32)
    start, end = torch.tensor([first, last], dtype=torch.float32)
    step = ((end - start) / (n - 1)).double()
    i = torch.arange(n, dtype=torch.float64)
    return torch.where(i < n // 2, start + step * i, end - step * (n - 1 - i)).float()


def _ending_in_zero(sigmas: Tensor | Sequence[float]) -> Tensor:
    sigmas = torch.as_tensor(sigmas, dtype=torch.float32)
    return torch.cat([sigmas, sigmas.new_zeros(1)])


def karras_sigmas(n: int, sigma_min: float, sigma_max: float, rho: float = 7.0) -> Tensor:
    """Even steps in sigma^(1/rho): Karras et al. (2022), arXiv 2206.00364, equation 5."""
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return _ending_in_zero(_rounded(lambda x: x**rho, high + _even(0, 1, n) * (low - high)))


def exponential_sigmas(n: int, sigma_min: float, sigma_max: float) -> Tensor:
    """Even steps in log sigma."""
    return _ending_in_zero(_rounded(torch.exp, _even(math.log(sigma_max), math.log(sigma_min), n)))


def polyexponential_sigmas(n: int, sigma_min: float, sigma_max: float, rho: float = 1.0) -> Tensor:
    """A polynomial of degree rho in log sigma (k-diffusion)."""
    ramp = _even(1, 0, n) ** rho
    logs = ramp * (math.log(sigma_max) - math.log(sigma_min)) + math.log(sigma_min)
    return _ending_in_zero(_rounded(torch.exp, logs))


def vp_sigmas(n: int, beta_d: float = 19.9, beta_min: float = 0.1, eps_s: float = 1e-3) -> Tensor:
    """The continuous variance-preserving schedule of Song et al. (2021), arXiv 2011.13456."""
    t = _even(1, eps_s, n)
    return _ending_in_zero((torch.exp(beta_d * t**2 / 2 + beta_min * t) - 1).sqrt())


def laplace_sigmas(n: int, sigma_min: float, sigma_max: float, mu: float = 0.0, beta: float = 0.5) -> Tensor:
    """log sigma at even quantiles of a Laplace distribution: Hang et al. (2024), arXiv 2407.03297.

    Not compared with the reference.
    """
    x = _even(0, 1, n)
    log_sigma = mu - beta * torch.sign(0.5 - x) * torch.log(1 - 2 * (0.5 - x).abs() + 1e-5)
    return _ending_in_zero(log_sigma.exp().clamp(sigma_min, sigma_max))


def beta_sigmas(levels: NoiseLevels, n: int, alpha: float = 0.6, beta: float = 0.6) -> Tensor:
    """Timesteps at even quantiles of a Beta distribution: Lee et al. (2024), arXiv 2407.12173.

    Repeated timesteps are dropped, so there can be fewer than n steps.
    """
    last = len(levels.table) - 1
    quantiles = 1 - torch.arange(n, dtype=torch.float64) / n
    indices = [round(float(betaincinv(alpha, beta, q)) * last) for q in quantiles.tolist()]
    kept = [t for previous, t in zip([None, *indices], indices, strict=False) if t != previous]
    return _ending_in_zero(levels.table[kept])


TURBO_STEPS = 10


def turbo_sigmas(levels: NoiseLevels, n: int, denoise: float = 1.0) -> Tensor:
    """The first n of the last ``denoise`` (0..1) of ten even timesteps, 999 to 99; fewer where that many are not left.

    Adversarial diffusion distillation: Sauer et al. (2023), arXiv 2311.17042. Not compared with the reference.
    """
    skipped = TURBO_STEPS - int(TURBO_STEPS * denoise)
    timesteps = torch.arange(TURBO_STEPS, 0, -1)[skipped : skipped + n] * (1000 // TURBO_STEPS) - 1
    return _ending_in_zero(levels.sigma(timesteps))


ALIGNED: Mapping[str, tuple[int, ...]] = {
    "SD1": (999, 850, 736, 645, 545, 455, 343, 233, 124, 24, 0),
    "SDXL": (999, 845, 730, 587, 443, 310, 193, 116, 53, 13, 0),
}
"""Timesteps of the schedules that Sabour et al. (2024) found for ten steps, arXiv 2404.14507, and the first one."""

ALIGNED_VIDEO = (700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002)
"""Their noise levels for Stable Video Diffusion."""


def aligned_sigmas(kind: str, n: int, denoise: float = 1.0) -> Tensor:
    """Align Your Steps: the published levels of SD1, SDXL or SVD, their logarithms interpolated to n steps.

    With ``denoise`` below 1 the last round(n * denoise) of the steps; none at 0.
    """
    if kind in ALIGNED:
        known = stable_diffusion().sigma(torch.tensor(ALIGNED[kind])).double().numpy()
    else:
        known = numpy.array(ALIGNED_VIDEO)
    places = numpy.linspace(0, len(known) - 1, n + 1)
    found = numpy.exp(numpy.interp(places, numpy.arange(len(known)), numpy.log(known)))
    kept = round(n * denoise)
    return _ending_in_zero(torch.tensor(found[n - kept : -1], dtype=torch.float32)) if kept else torch.zeros(0)


def _simple(levels: NoiseLevels, n: int) -> Tensor:
    """Every (length / n)-th level from the largest down."""
    stride = len(levels.table) / n
    return _ending_in_zero(levels.table[[-(1 + int(i * stride)) for i in range(n)]])


def _at_even_timesteps(levels: NoiseLevels, n: int, count: int) -> Tensor:
    """The levels at the first ``count`` of ``n`` even timesteps."""
    first, last = levels.timestep(levels.table[[-1, 0]]).tolist()
    return _ending_in_zero(torch.stack([levels.sigma(t) for t in _even(first, last, n)[:count]]))


def _sgm_uniform(levels: NoiseLevels, n: int) -> Tensor:
    """n even timesteps of n + 1: the last one is left out (Stability's generative-models)."""
    return _at_even_timesteps(levels, n + 1, n)


def _normal(levels: NoiseLevels, n: int) -> Tensor:
    """n even timesteps from the first to the last."""
    return _at_even_timesteps(levels, n, n)


def _ends(levels: NoiseLevels) -> tuple[float, float]:
    return levels.table[0].item(), levels.table[-1].item()


def _karras(levels: NoiseLevels, n: int) -> Tensor:
    return karras_sigmas(n, *_ends(levels))


def _exponential(levels: NoiseLevels, n: int) -> Tensor:
    return exponential_sigmas(n, *_ends(levels))


def _ddim_uniform(levels: NoiseLevels, n: int) -> Tensor:
    """Every (length // n)-th level counted from the second: there can be more than n steps (n = 7 gives 8)."""
    stride = max(len(levels.table) // n, 1)
    return _ending_in_zero(levels.table[1::stride].flip(0))


def _beta(levels: NoiseLevels, n: int) -> Tensor:
    return beta_sigmas(levels, n)


def _linear_quadratic(levels: NoiseLevels, n: int, threshold: float = 0.025) -> Tensor:
    """n // 2 even steps over the first ``threshold`` of the way, the rest quadratic (Polyak et al. 2024, Movie Gen)."""
    if n == 1:
        return _ending_in_zero(levels.table[-1:])
    linear = n // 2
    quadratic = n - linear
    gap = linear - threshold * n
    a = gap / (linear * quadratic**2)
    b = threshold / linear - 2 * gap / quadratic**2
    c = a * linear**2
    way = [i * threshold / linear for i in range(linear)] + [a * i**2 + b * i + c for i in range(linear, n)]
    return _ending_in_zero(torch.tensor([1 - w for w in way]) * levels.table[-1])


def _kl_optimal(levels: NoiseLevels, n: int) -> Tensor:
    """Even steps in atan sigma: Sabour et al. (2024), Align Your Steps, arXiv 2404.14507, equation 7.

    The formula has no value for one step; this takes the largest level.
    """
    if n == 1:
        return _ending_in_zero(levels.table[-1:])
    sigma_min, sigma_max = _ends(levels)
    w = torch.arange(n, dtype=torch.float32) / (n - 1)
    return _ending_in_zero(_rounded(torch.tan, w * math.atan(sigma_min) + (1 - w) * math.atan(sigma_max)))


SCHEDULES: Mapping[str, Schedule] = {
    "simple": _simple,
    "sgm_uniform": _sgm_uniform,
    "karras": _karras,
    "exponential": _exponential,
    "ddim_uniform": _ddim_uniform,
    "beta": _beta,
    "normal": _normal,
    "linear_quadratic": _linear_quadratic,
    "kl_optimal": _kl_optimal,
}
"""Schedules by name, in the order that editors show."""
