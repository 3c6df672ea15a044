"""The noise levels that a diffusion model was trained on, and the way between them and the network's timesteps."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class NoiseLevels(Protocol):
    """The noise levels of a model, in rising order, and its clock."""

    @property
    def table(self) -> Tensor:
        """All levels in rising order, float32, one per training step."""
        ...

    def sigma(self, timestep: Tensor) -> Tensor:
        """The level at a (fractional) timestep, float32."""
        ...

    def timestep(self, sigma: Tensor) -> Tensor:
        """What the network is told for a level, float32."""
        ...

    def sigma_at(self, fraction: float) -> float:
        """The level when ``fraction`` of sampling is done: infinity at 0 and below, 0 at 1 and above."""
        ...


@dataclass(frozen=True, eq=False)
class DiscreteLevels:
    """A table of levels indexed by training step, as DDPM has it.

    With a ``stride`` it holds every so many-th step of a longer one, up to its last; timesteps are those of that one.
    """

    table: Tensor
    log_table: Tensor
    stride: int = 1

    def sigma(self, timestep: Tensor) -> Tensor:
        """Linear in log sigma between the neighbours of a fractional timestep; exp is correctly rounded."""
        t = ((timestep.float() - (self.stride - 1)) / self.stride).clamp(0, len(self.table) - 1)
        low, w = t.floor().long(), t.frac()
        log_sigma = (1 - w) * self.log_table[low] + w * self.log_table[t.ceil().long()]
        return log_sigma.double().exp().float()

    def timestep(self, sigma: Tensor) -> Tensor:
        """The index of the nearest log sigma: a whole number, never interpolated."""
        distance = sigma.cpu().float().log() - self.log_table[:, None]
        index = distance.abs().argmin(dim=0).view(sigma.shape)
        return (index * self.stride + self.stride - 1).to(torch.float32)

    def sigma_at(self, fraction: float) -> float:
        if fraction <= 0:
            return math.inf
        if fraction >= 1:
            return 0.0
        return self.sigma(torch.tensor((1 - fraction) * (len(self.table) * self.stride - 1))).item()


@dataclass(frozen=True)
class ContinuousLevels:
    """Any level between two. The network is told log(sigma) / 4: Karras et al. (2022), arXiv 2206.00364, table 1."""

    sigma_min: float
    sigma_max: float
    steps: int = 1000

    @property
    def table(self) -> Tensor:
        return torch.linspace(math.log(self.sigma_min), math.log(self.sigma_max), self.steps).exp()

    def sigma(self, timestep: Tensor) -> Tensor:
        return (timestep.float() * 4).exp()

    def timestep(self, sigma: Tensor) -> Tensor:
        return sigma.float().log() / 4

    def sigma_at(self, fraction: float) -> float:
        if fraction <= 0:
            return math.inf
        if fraction >= 1:
            return 0.0
        return float(self.sigma_min * (self.sigma_max / self.sigma_min) ** (1 - fraction))


@dataclass(frozen=True)
class AngularLevels(ContinuousLevels):
    """Any level between two. The network is told the angle between signal and noise, as a part of a right one.

    t = 2 / pi * atan(sigma): the clock of v-diffusion, as in k-diffusion.
    """

    def sigma(self, timestep: Tensor) -> Tensor:
        return (timestep.float() * (math.pi / 2)).tan()

    def timestep(self, sigma: Tensor) -> Tensor:
        return sigma.float().atan() / (math.pi / 2)


@dataclass(frozen=True)
class FlowLevels:
    """The levels of a rectified flow: t in (0, 1] pushed towards noise by ``shift`` (Esser et al. 2024, section 5.3.2).

    sigma = shift * t / (1 + (shift - 1) * t); the network is told sigma * multiplier.
    """

    shift: float = 1.0
    multiplier: float = 1000.0
    steps: int = 1000

    @property
    def table(self) -> Tensor:
        return self._shifted(torch.arange(1, self.steps + 1) / self.steps)

    def _shifted(self, t: Tensor) -> Tensor:
        return self.shift * t / (1 + (self.shift - 1) * t)

    def sigma(self, timestep: Tensor) -> Tensor:
        return self._shifted(timestep.float() / self.multiplier)

    def timestep(self, sigma: Tensor) -> Tensor:
        return sigma.float() * self.multiplier

    def sigma_at(self, fraction: float) -> float:
        if fraction <= 0:
            return math.inf
        if fraction >= 1:
            return 0.0
        return self._shifted(torch.tensor(1 - fraction)).item()


def from_betas(betas: Tensor) -> DiscreteLevels:
    """Levels of a variance-preserving chain with float64 ``betas``: sigma^2 = (1 - a) / a, a = prod(1 - beta)."""
    alphas = torch.cumprod(1 - betas, dim=0)
    return _discrete(((1 - alphas) / alphas) ** 0.5)


def _discrete(sigmas: Tensor) -> DiscreteLevels:
    return DiscreteLevels(sigmas.float(), sigmas.log().float())


def stable_diffusion() -> DiscreteLevels:
    """The levels of Stable Diffusion 1, 2 and XL: sqrt(beta) linear from 0.00085 to 0.012 in 1000 steps."""
    return from_betas(torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2)


SMALLEST_ALPHA = 4.8973451890853435e-08
"""Stands in for the zero signal of the last step of a zero-terminal-SNR table; sigma is about 4519 there."""


def zero_terminal_snr(levels: DiscreteLevels) -> DiscreteLevels:
    """Stretch the table so that its last level holds no signal: Lin et al. (2023), arXiv 2305.08891, algorithm 1."""
    root = (1 / (levels.table**2 + 1)).sqrt()
    root = (root - root[-1]) * (root[0] / (root[0] - root[-1]))
    alphas = root**2
    alphas[-1] = SMALLEST_ALPHA
    return _discrete(((1 - alphas) / alphas) ** 0.5)


DISTILLED_STEPS = 50


def distilled(levels: DiscreteLevels) -> DiscreteLevels:
    """The 50 levels that a consistency model was distilled on: Luo et al. (2023), arXiv 2310.04378, section 4.3."""
    stride = len(levels.table) // DISTILLED_STEPS
    kept = slice(stride - 1, None, stride)
    return DiscreteLevels(levels.table[kept], levels.log_table[kept], stride)
