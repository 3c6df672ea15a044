"""Schedules: the noise levels that a run visits."""

from typing import TYPE_CHECKING, Annotated, Literal

from engine.context import Context
from engine.errors import InputError
from engine.node import Field, Widget, node
from nodes.choices import SchedulerName
from nodes.inputs import Fraction, Steps
from nodes.lazy import lazy
from nodes.recipes import Model, Sigmas

if TYPE_CHECKING:
    import torch

    from nodes.models import levels
    from nodes.sampling import schedules
else:
    torch = lazy("torch")
    levels = lazy("nodes.models.levels")
    schedules = lazy("nodes.sampling.schedules")

CATEGORY = "sampling/custom_sampling/schedulers"
Level = Annotated[float, Field(ge=0.0, le=5000.0), Widget(step=0.01, round=False)]
Exponent = Annotated[float, Field(ge=0.0, le=100.0), Widget(step=0.01, round=False)]
Shape = Annotated[float, Field(ge=0.0, le=50.0), Widget(step=0.01, round=False)]

SIGMA_MAX, SIGMA_MIN = 14.614642, 0.0291675
"""The largest and the smallest level of Stable Diffusion 1."""


@node("BasicScheduler", category=CATEGORY)
def basic_scheduler(
    ctx: Context, model: Model, *, scheduler: SchedulerName, steps: Steps = 20, denoise: Fraction = 1.0
) -> Sigmas:
    """Take the noise levels of a run from a schedule. A denoise below 1 takes the last part of a longer run."""
    return levels.scheduled(ctx, model, scheduler, steps, denoise)


@node("KarrasScheduler", category=CATEGORY)
def karras_scheduler(
    steps: Steps = 20, sigma_max: Level = SIGMA_MAX, sigma_min: Level = SIGMA_MIN, rho: Exponent = 7.0
) -> Sigmas:
    """Take even steps in the rho-th root of the noise level: more of them where there is little noise."""
    _above_zero(rho=rho)
    return schedules.karras_sigmas(steps, sigma_min, sigma_max, rho)


@node("ExponentialScheduler", category=CATEGORY)
def exponential_scheduler(steps: Steps = 20, sigma_max: Level = SIGMA_MAX, sigma_min: Level = SIGMA_MIN) -> Sigmas:
    """Take even steps in the logarithm of the noise level."""
    _above_zero(sigma_max=sigma_max, sigma_min=sigma_min)
    return schedules.exponential_sigmas(steps, sigma_min, sigma_max)


@node("PolyexponentialScheduler", category=CATEGORY)
def polyexponential_scheduler(
    steps: Steps = 20, sigma_max: Level = SIGMA_MAX, sigma_min: Level = SIGMA_MIN, rho: Exponent = 1.0
) -> Sigmas:
    """Let the logarithm of the noise level fall as a polynomial of degree rho."""
    _above_zero(sigma_max=sigma_max, sigma_min=sigma_min)
    return schedules.polyexponential_sigmas(steps, sigma_min, sigma_max, rho)


@node("LaplaceScheduler", category=CATEGORY)
def laplace_scheduler(
    steps: Steps = 20,
    sigma_max: Level = SIGMA_MAX,
    sigma_min: Level = SIGMA_MIN,
    mu: Annotated[float, Field(ge=-10.0, le=10.0), Widget(step=0.1, round=False)] = 0.0,
    beta: Annotated[float, Field(ge=0.0, le=10.0), Widget(step=0.1, round=False)] = 0.5,
) -> Sigmas:
    """Let the logarithm of the noise level follow a Laplace distribution: more steps around mu."""
    return schedules.laplace_sigmas(steps, sigma_min, sigma_max, mu, beta)


@node("VPScheduler", category=CATEGORY)
def vp_scheduler(
    steps: Steps = 20,
    beta_d: Level = 19.9,
    beta_min: Level = 0.1,
    eps_s: Annotated[float, Field(ge=0.0, le=1.0), Widget(step=0.0001, round=False)] = 0.001,
) -> Sigmas:
    """Take even steps in the time of the variance-preserving diffusion."""
    return schedules.vp_sigmas(steps, beta_d, beta_min, eps_s)


@node("BetaSamplingScheduler", category=CATEGORY)
def beta_sampling_scheduler(
    ctx: Context, model: Model, steps: Steps = 20, alpha: Shape = 0.6, beta: Shape = 0.6
) -> Sigmas:
    """Let a model's timesteps follow a Beta distribution; there may be fewer steps, as no timestep is taken twice."""
    _above_zero(alpha=alpha, beta=beta)
    return schedules.beta_sigmas(levels.levels(ctx, model), steps, alpha, beta)


@node("SDTurboScheduler", category=CATEGORY)
def sd_turbo_scheduler(
    ctx: Context,
    model: Model,
    steps: Annotated[int, Field(ge=1, le=10)] = 1,
    denoise: Fraction = 1.0,
) -> Sigmas:
    """Take the ten timesteps that turbo models were distilled to, or the last part of them."""
    return schedules.turbo_sigmas(levels.levels(ctx, model), steps, denoise)


@node("AlignYourStepsScheduler", category=CATEGORY)
def align_your_steps_scheduler(
    *,
    model_type: Literal["SD1", "SDXL", "SVD"],
    steps: Steps = 10,
    denoise: Fraction = 1.0,
) -> Sigmas:
    """Take the levels that were found best for ten steps of a family, or levels between them for more or fewer.

    Sabour et al. (2024), Align Your Steps, arXiv 2404.14507. Not compared with the reference.
    """
    return schedules.aligned_sigmas(model_type, steps, denoise)


def _above_zero(**inputs: float) -> None:
    for name, value in inputs.items():
        if not value:
            raise InputError(f"{name} can't be 0 in this schedule.", input=name, got=value, expected="more than 0")
