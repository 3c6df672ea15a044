"""Samplers and schedules: the module ``comfy.samplers``, over our solvers. Its rest is placeholders.

The lists may be added to: a pack shows its own names in its own nodes.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from engine.errors import InputError
from nodes.packs.names.placeholders import members_of
from nodes.packs.objects.guider import CFGGuider
from nodes.packs.objects.ksampler import KSampler
from nodes.packs.objects.run import calc_cond_batch, sampling_function
from nodes.packs.objects.sampler import KSAMPLER
from nodes.sampling.schedules import SCHEDULES
from nodes.sampling.solvers import SOLVERS

__all__ = [
    "KSAMPLER", "KSAMPLER_NAMES", "SAMPLER_NAMES", "SCHEDULER_HANDLERS", "SCHEDULER_NAMES", "CFGGuider", "KSampler",
    "calc_cond_batch", "calculate_sigmas", "ksampler", "sampler_object", "sampling_function",
]  # fmt: skip
__getattr__ = members_of(__name__)

SAMPLER_NAMES, SCHEDULER_NAMES = KSampler.SAMPLERS, KSampler.SCHEDULERS
KSAMPLER_NAMES: list[str] = [name for name in SAMPLER_NAMES if name not in ("ddim", "uni_pc", "uni_pc_bh2")]
SCHEDULER_HANDLERS: dict[str, Any] = dict.fromkeys(SCHEDULER_NAMES)


def sampler_object(name: str) -> KSAMPLER:
    """Return a solver. Raises InputError where there is none of this name."""
    return ksampler(name)


def ksampler(
    sampler_name: str,
    extra_options: Mapping[str, Any] | None = None,
    inpaint_options: Mapping[str, Any] | None = None,
) -> KSAMPLER:
    """Return a solver with settings. Raises InputError where there is none of this name."""
    if sampler_name not in SOLVERS:
        raise InputError(f"There is no sampler {sampler_name!r}.", got=sampler_name, expected=[*SOLVERS])
    return KSAMPLER(sampler_name, extra_options, inpaint_options)


def calculate_sigmas(model_sampling: Any, scheduler_name: str, steps: int) -> Tensor:
    """Return the noise levels of a schedule for the ``model_sampling`` of a model.

    Raises:
        InputError: there is no schedule of this name.
    """
    if scheduler_name not in SCHEDULES:
        raise InputError(f"There is no schedule {scheduler_name!r}.", got=scheduler_name, expected=[*SCHEDULES])
    return SCHEDULES[scheduler_name](Levels(model_sampling), steps)


class Levels:
    """The noise levels of a ``model_sampling``, ours or a pack's, as our schedules take them."""

    def __init__(self, model_sampling: Any) -> None:
        self.table: Tensor = model_sampling.sigmas
        self.sigma: Callable[[Tensor], Tensor] = model_sampling.sigma
        self.timestep: Callable[[Tensor], Tensor] = model_sampling.timestep
        self.sigma_at: Callable[[float], float] = model_sampling.percent_to_sigma
