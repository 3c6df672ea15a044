"""The names of samplers and schedules: the module ``comfy.samplers``, whose other members are placeholders.

The lists may be added to: a pack shows its own names in its own nodes.
"""

from typing import Any, get_args

from nodes.choices import SamplerName, SchedulerName
from nodes.packs.names.placeholders import Absent, members_of

__getattr__ = members_of(__name__)

SAMPLER_NAMES: list[str] = [*get_args(SamplerName)]
SCHEDULER_NAMES: list[str] = [*get_args(SchedulerName)]
KSAMPLER_NAMES: list[str] = [name for name in SAMPLER_NAMES if name not in ("ddim", "uni_pc", "uni_pc_bh2")]
SCHEDULER_HANDLERS: dict[str, Any] = dict.fromkeys(SCHEDULER_NAMES)


class KSampler(metaclass=Absent):
    """The lists that packs read off it; it can't be made."""

    absent_name = "comfy.samplers.KSampler"
    SAMPLERS = SAMPLER_NAMES
    SCHEDULERS = SCHEDULER_NAMES
    DISCARD_PENULTIMATE_SIGMA_SAMPLERS = frozenset({"dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"})
