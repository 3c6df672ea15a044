"""A diffusion model with a closed form: data is N(0, s^2) in every cell.

Its best denoiser is linear, the exact path of its ODE is a scaling, so that solvers can be held against the truth.
"""

import math
from dataclasses import dataclass, field

import torch

from nodes.sampling.noise import Noise
from nodes.sampling.process import VE
from nodes.sampling.seam import Guided

SPREAD = 0.5


@dataclass
class Gaussian:
    """E[x0 | x] = x * alpha * s^2 / (alpha^2 s^2 + sigma^2). Keeps the levels that it was asked for."""

    process: object = VE
    asked: list = field(default_factory=list)

    def __call__(self, x, sigma):
        self.asked.append(float(sigma))
        alpha = self.process.alpha(sigma)
        return x * (alpha * SPREAD**2 / (alpha**2 * SPREAD**2 + sigma**2))

    def both(self, x, sigma):
        denoised = self(x, sigma)
        return Guided(denoised, denoised)


def path(x, sigma, sigma_next):
    """The exact solution of the variance-exploding ODE."""
    return x * math.sqrt((SPREAD**2 + sigma_next**2) / (SPREAD**2 + sigma**2))


def falling(steps, high=10.0, low=0.2):
    """Smooth float64 levels that end above 0, so that no last step of first order hides the order."""
    return torch.linspace(high ** (1 / 3), low ** (1 / 3), steps + 1, dtype=torch.float64) ** 3


def no_noise(process=VE):
    def draw(_sigma, _sigma_next):
        raise AssertionError("a deterministic solver drew noise")

    return Noise(draw, process)
