"""DPM-Solver of orders 1 to 3 in t = -log sigma: Lu et al. (2022), arXiv 2206.00927.

Both solvers go from the first level to the last one above 0 and stop there; they choose their own levels between.
"""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from nodes.sampling.noise import Noise
from nodes.sampling.process import VE
from nodes.sampling.seam import Denoiser, OnStep, ignore_step


@dataclass(slots=True)
class _Noise:
    """eps(x, t) of a denoiser; counts its calls and shows each to ``on_step`` if one is given."""

    denoise: Denoiser
    on_step: OnStep = ignore_step
    calls: int = 0

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        sigma = (-t).exp()
        x0 = self.denoise(x, sigma)
        self.on_step(self.calls, x0)
        self.calls += 1
        return (x - x0) / sigma


@dataclass(slots=True)
class _Step:
    """One step from t to ``t_next`` by any order; stages that orders share are evaluated once."""

    eps: _Noise
    x: Tensor
    t: Tensor
    t_next: Tensor
    stages: dict[float, Tensor] = field(default_factory=dict)

    def _stage(self, key: float, x: Tensor, t: Tensor) -> Tensor:
        if key not in self.stages:
            self.stages[key] = self.eps(x, t)
        return self.stages[key]

    def first(self) -> Tensor:
        h = self.t_next - self.t
        return self.x - (-self.t_next).exp() * h.expm1() * self._stage(0, self.x, self.t)

    def second(self, r1: float = 1 / 2) -> Tensor:
        """Algorithm 1 (DPM-Solver-2)."""
        h = self.t_next - self.t
        eps = self._stage(0, self.x, self.t)
        eps_r1 = self._first_stage(r1)
        sigma_next = (-self.t_next).exp()
        return self.x - sigma_next * h.expm1() * eps - sigma_next / (2 * r1) * h.expm1() * (eps_r1 - eps)

    def _first_stage(self, r1: float) -> Tensor:
        h = self.t_next - self.t
        eps = self._stage(0, self.x, self.t)
        s1 = self.t + r1 * h
        return self._stage(r1, self.x - (-s1).exp() * (r1 * h).expm1() * eps, s1)

    def third(self, r1: float = 1 / 3, r2: float = 2 / 3) -> Tensor:
        """Algorithm 2 (DPM-Solver-3)."""
        h = self.t_next - self.t
        eps = self._stage(0, self.x, self.t)
        eps_r1 = self._first_stage(r1)
        s2 = self.t + r2 * h
        sigma_2, sigma_next = (-s2).exp(), (-self.t_next).exp()
        u2 = self.x - sigma_2 * (r2 * h).expm1() * eps
        u2 = u2 - sigma_2 * (r2 / r1) * ((r2 * h).expm1() / (r2 * h) - 1) * (eps_r1 - eps)
        eps_r2 = self._stage(r2, u2, s2)
        return self.x - sigma_next * h.expm1() * eps - sigma_next / r2 * (h.expm1() / h - 1) * (eps_r2 - eps)


def _span(sigmas: Tensor) -> tuple[Tensor, Tensor]:
    """t of the first level and of the last one above 0."""
    last = sigmas[-1] if sigmas[-1] > 0 else sigmas[-2]
    return -sigmas[0].log(), -last.log()


def dpm_fast(denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise, on_step: OnStep = ignore_step) -> Tensor:
    """DPM-Solver-fast (section 3.4): ``len(sigmas) - 1`` model calls in steps of order 3 and a rest, even in log sigma.

    ``on_step`` is called at each model call. Not compared with the reference.
    """
    calls = len(sigmas) - 1
    if calls < 1:
        return x
    rest = calls % 3
    orders = [3] * (calls // 3) + [rest] if rest else [3] * (calls // 3 - 1) + [2, 1]
    start, end = _span(sigmas)
    ts = torch.linspace(start.item(), end.item(), len(orders) + 1)
    eps = _Noise(denoise, on_step)
    for order, t, t_next in zip(orders, ts, ts[1:], strict=False):
        step = _Step(eps, x, t, t_next)
        x = {1: step.first, 2: step.second, 3: step.third}[order]()
    return x


@dataclass(slots=True)
class StepSize:
    """A PID controller of the step size: Soederlind (2003), as in k-diffusion."""

    h: float
    order: float
    pcoeff: float
    icoeff: float
    dcoeff: float
    accept_safety: float
    inverse_errors: list[float] = field(default_factory=list)

    def accepts(self, error: float) -> bool:
        """Whether the step that made ``error`` stands. Sets the size of the next, or of its repetition."""
        inverse = 1 / (error + 1e-8)
        e = self.inverse_errors or [inverse] * 2
        p, i, d = self.pcoeff, self.icoeff, self.dcoeff
        factor = inverse ** ((p + i + d) / self.order) * e[0] ** (-(p + 2 * d) / self.order) * e[1] ** (d / self.order)
        factor = 1 + math.atan(factor - 1)
        self.h *= factor
        accepted = factor >= self.accept_safety
        self.inverse_errors = [inverse, e[0]] if accepted else e
        return accepted


def dpm_adaptive(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    on_step: OnStep = ignore_step,
    *,
    order: int = 3,
    rtol: float = 0.05,
    atol: float = 0.0078,
    h_init: float = 0.05,
    pcoeff: float = 0.0,
    icoeff: float = 1.0,
    dcoeff: float = 0.0,
    accept_safety: float = 0.81,
    eta: float = 0.0,
    s_noise: float = 1.0,
) -> Tensor:
    """DPM-Solver-12 or -23: steps as long as the difference of two orders allows (appendix C).

    The number of steps is its own; ``on_step`` counts all it tries. Not compared with the reference.
    """
    if len(sigmas) < 2:
        return x
    s, end = _span(sigmas)
    sizes = StepSize(h_init, 1.5 if eta else order, pcoeff, icoeff, dcoeff, accept_safety)
    eps, x_prev, tried = _Noise(denoise), x, 0
    while s < end - 1e-5:
        t = torch.minimum(end, s + sizes.h)
        down = torch.minimum(end, -VE.ancestral((-s).exp(), (-t).exp(), eta).sigma_down.log())
        step = _Step(eps, x, s, down)
        low, high = (step.first(), step.second()) if order == 2 else (step.second(r1=1 / 3), step.third())
        on_step(tried, x - (-s).exp() * step.stages[0])
        tried += 1
        delta = (rtol * torch.maximum(low.abs(), x_prev.abs())).clamp(min=atol)
        if sizes.accepts((torch.linalg.vector_norm((low - high) / delta) / x.numel() ** 0.5).item()):
            x_prev, x = low, high
            if eta:
                up = ((-t).exp() ** 2 - (-down).exp() ** 2) ** 0.5
                x = x + up * s_noise * noise((-s).exp(), (-t).exp())
            s = t
    return x
