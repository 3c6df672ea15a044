"""Linear multistep (Adams-Bashforth) methods on the slope d = (x - x0) / sigma. Steps to 0 return x0."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from math import prod
from typing import TypeAlias

from scipy.special import roots_legendre
from torch import Tensor

from nodes.sampling.noise import Noise
from nodes.sampling.seam import Denoiser, OnStep, ignore_step

Weights: TypeAlias = Callable[[int, Sequence[float]], Sequence[float]]
"""The coefficients of the latest slopes for step i over the levels ts, latest slope first; they carry the step size."""


def multistep(denoise: Denoiser, x: Tensor, sigmas: Tensor, on_step: OnStep, weights: Weights) -> Tensor:
    """x + sum(weight * slope) over the latest slopes."""
    ts = sigmas.tolist()
    ds: list[Tensor] = []
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma)
        on_step(i, x0)
        if sigma_next == 0:
            return x0
        ds.insert(0, (x - x0) / sigma)
        coefficients = weights(i, ts)
        ds = ds[: len(coefficients)]
        for weight, d in zip(coefficients, ds, strict=True):
            x = x + weight * d
    return x


def _lagrange_weights(i: int, ts: Sequence[float], order: int) -> list[float]:
    """Exact integrals over step i of the Lagrange polynomials through the latest levels."""
    order = min(order, i + 1)
    nodes = ts[i::-1][:order]
    roots, gauss = roots_legendre(order // 2 + 1)
    half, middle = (ts[i + 1] - ts[i]) / 2, (ts[i + 1] + ts[i]) / 2

    def basis(j: int, tau: float) -> float:
        return prod((tau - t) / (nodes[j] - t) for k, t in enumerate(nodes) if k != j)

    return [
        half * sum(g * basis(j, half * u + middle) for u, g in zip(roots.tolist(), gauss.tolist(), strict=True))
        for j in range(order)
    ]


def lms(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step, *, order: int = 4
) -> Tensor:
    """Adams-Bashforth for uneven levels (k-diffusion)."""
    return multistep(denoise, x, sigmas, on_step, partial(_lagrange_weights, order=order))


_EVEN = ([1.0], [3 / 2, -1 / 2], [23 / 12, -16 / 12, 5 / 12], [55 / 24, -59 / 24, 37 / 24, -9 / 24])


def ipndm(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step, *, max_order: int = 4
) -> Tensor:
    """Adams-Bashforth with the coefficients of even levels: Zhang and Chen (2022), arXiv 2204.13902 (iPNDM).

    Of second order where the levels are uneven.
    """

    def weights(i: int, ts: Sequence[float]) -> list[float]:
        return [c * (ts[i + 1] - ts[i]) for c in _EVEN[min(max_order, i + 1) - 1]]

    return multistep(denoise, x, sigmas, on_step, weights)


def ipndm_v(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step, *, max_order: int = 4
) -> Tensor:
    """iPNDM for uneven levels with the coefficients of Zhou et al. (2024), arXiv 2312.00094 (diff-sampler).

    Its authors' third-order term is exact for even levels only: the order is 2 elsewhere. ``lms`` has the exact ones.
    Not compared with the reference.
    """

    def weights(i: int, ts: Sequence[float]) -> list[float]:
        order = min(max_order, i + 1)
        steps = [ts[i + 1 - k] - ts[i - k] for k in range(order)]
        return [c * steps[0] for c in _uneven(steps)]

    return multistep(denoise, x, sigmas, on_step, weights)


def _uneven(h: Sequence[float]) -> list[float]:
    """Coefficients per unit step for the steps h[0] (now), h[1], ... before it."""
    if len(h) == 1:
        return [1.0]
    ratio = h[0] / h[1]
    if len(h) == 2:
        return [(2 + ratio) / 2, -ratio / 2]
    h01, h12, back = h[0] + h[1], h[1] + h[2], h[1] / h[2]
    third = (1 - h[0] / (3 * h01) * (h[0] * h01) / (h[1] * h12)) / 2
    weights = [(2 + ratio) / 2 + third, -ratio / 2 - (1 + back) * third, third * back]
    if len(h) == 3:
        return weights
    h012, h123 = h01 + h[2], h12 + h[3]
    far = h[1] * h12 / (h[2] * (h[2] + h[3]))
    fourth = (1 - h[0] / (3 * h01)) / 2 + (1 - h[0] / (2 * h01)) * h[0] / (6 * h012)
    fourth *= h[0] * h01 * h012 / (h[1] * h12 * h123)
    return [
        weights[0] + fourth,
        weights[1] - (1 + back + far) * fourth,
        weights[2] + (back + far * (1 + h[2] / h[3])) * fourth,
        -fourth * far * back,
    ]
