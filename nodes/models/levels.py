"""Noise levels for a model on a wire. Only the header of its file is read."""

from torch import Tensor

from engine.context import Context
from nodes.models.parametrization import parametrization
from nodes.models.service import pool
from nodes.recipes import Model
from nodes.sampling import steps
from nodes.sampling.noise_levels import NoiseLevels
from nodes.sampling.schedules import SCHEDULES
from nodes.sampling.solvers import SOLVERS


def levels(ctx: Context, model: Model) -> NoiseLevels:
    """Return the noise levels that a model knows."""
    return parametrization(model, ctx.use(pool).checkpoint(model.file)).levels


def scheduled(
    ctx: Context, model: Model, scheduler: str, step_count: int, denoise: float = 1.0, solver: str | None = None
) -> Tensor:
    """Return the levels of a run over the last ``denoise`` of a schedule; a ``solver`` may want them in a form."""
    drops = solver is not None and SOLVERS[solver].drops_penultimate
    return steps.run_sigmas(SCHEDULES[scheduler], levels(ctx, model), step_count, denoise, drops)


BEYOND = 999_999_999.9
"""Stands for a level above all others in numbers that travel between nodes."""


def at(ctx: Context, model: Model, fraction: float, actual: bool) -> float:
    """Return the level when ``fraction`` of sampling is done; ``actual`` stays within what the model knows."""
    known = levels(ctx, model)
    sigma = known.sigma_at(fraction)
    lowest, highest = known.table[0].item(), known.table[-1].item()
    return min(max(sigma, lowest), highest) if actual else min(sigma, BEYOND)
