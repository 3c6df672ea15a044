"""A model with a solver and a schedule, as foreign code samples with it: ``comfy.samplers.KSampler``."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from engine.types import Tensor
from nodes.choices import SamplerName, SchedulerName
from nodes.lazy import lazy
from nodes.packs.objects.guider import CFGGuider
from nodes.packs.objects.members import Members
from nodes.packs.objects.model import ModelPatcher
from nodes.packs.objects.sampler import KSAMPLER

if TYPE_CHECKING:
    import torch

    from nodes.packs.objects import options
    from nodes.sampling import schedules, solvers, steps
else:
    torch = lazy("torch")
    options = lazy("nodes.packs.objects.options")
    schedules = lazy("nodes.sampling.schedules")
    solvers = lazy("nodes.sampling.solvers")
    steps = lazy("nodes.sampling.steps")


class KSampler(Members):
    """A model, a solver and a schedule. ``sigmas`` are the levels of the whole run."""

    kind = "comfy.samplers.KSampler"
    SAMPLERS: ClassVar[list[str]] = [*get_args(SamplerName)]
    SCHEDULERS: ClassVar[list[str]] = [*get_args(SchedulerName)]
    DISCARD_PENULTIMATE_SIGMA_SAMPLERS = frozenset({"dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"})

    def __init__(
        self,
        model: ModelPatcher,
        steps: int,
        device: Any = None,
        sampler: str | None = None,
        scheduler: str | None = None,
        denoise: float | None = None,
        model_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model if not model_options else model.clone()
        if model_options:
            self.model.model_options = options.copied(model_options)
        self.sampler = sampler if sampler and sampler in self.SAMPLERS else self.SAMPLERS[0]
        self.scheduler = scheduler if scheduler and scheduler in self.SCHEDULERS else self.SCHEDULERS[0]
        self.steps, self.denoise = steps, denoise
        self.sigmas = _levels(model, self.sampler, self.scheduler, steps, 1.0 if denoise is None else denoise)

    def sample(
        self,
        noise: Tensor,
        positive: Any,
        negative: Any,
        cfg: float,
        latent_image: Tensor | None = None,
        start_step: int | None = None,
        last_step: int | None = None,
        force_full_denoise: bool = False,
        denoise_mask: Tensor | None = None,
        sigmas: Tensor | None = None,
        callback: Callable[..., Any] | None = None,
        disable_pbar: bool = False,
        seed: int | None = None,
    ) -> Tensor:
        """Take a latent down the levels from ``start_step`` to ``last_step``; without a step left it stays as it is."""
        latent = torch.zeros_like(noise) if latent_image is None else latent_image
        levels = steps.cut(
            self.sigmas if sigmas is None else sigmas, start_step or 0, last_step, not force_full_denoise
        )
        if not len(levels):
            return latent
        guider = CFGGuider(self.model)
        guider.set_conds(positive, negative)
        guider.set_cfg(cfg)
        return guider.sample(noise, latent, KSAMPLER(self.sampler), levels, denoise_mask, callback, seed=seed)


def _levels(model: ModelPatcher, sampler: str, scheduler: str, count: int, denoise: float) -> Tensor:
    drops = solvers.SOLVERS[sampler].drops_penultimate
    levels = model.model.model_sampling._form.levels
    return steps.run_sigmas(schedules.SCHEDULES[scheduler], levels, count, denoise, drops)
