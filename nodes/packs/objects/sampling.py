"""How foreign code samples on its own, over our sampling: what ``comfy.sample`` and ``comfy.samplers`` offer."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from engine.types import Tensor
from nodes.choices import SamplerName, SchedulerName
from nodes.lazy import lazy
from nodes.packs.objects.base_model import ModelSampling
from nodes.packs.objects.guider import CFGGuider
from nodes.packs.objects.members import Members
from nodes.packs.objects.model import ModelPatcher
from nodes.packs.objects.sampler import KSAMPLER

if TYPE_CHECKING:
    import torch

    from nodes.packs.objects import options
    from nodes.sampling import noise as noises
    from nodes.sampling import schedules, solvers, steps
else:
    torch = lazy("torch")
    options = lazy("nodes.packs.objects.options")
    noises = lazy("nodes.sampling.noise")
    schedules = lazy("nodes.sampling.schedules")
    solvers = lazy("nodes.sampling.solvers")
    steps = lazy("nodes.sampling.steps")


def prepare_noise(latent_image: Tensor, seed: int, noise_inds: Sequence[int] | None = None) -> Tensor:
    """Return noise of the shape of latents, as a sampler starts with it."""
    places = None if noise_inds is None else [int(place) for place in noise_inds]
    return noises.starting_noise(int(seed), latent_image.shape, places)


def fix_empty_latent_channels(model: ModelPatcher, latent_image: Tensor, *more: Any) -> Tensor:
    """Return latents with as many channels as the model wants, where they are empty."""
    channels = model.model.latent_format.latent_channels
    if latent_image.shape[1] == channels or latent_image.any():
        return latent_image
    return torch.zeros(latent_image.shape[0], channels, *latent_image.shape[2:])


def calculate_sigmas(model_sampling: ModelSampling, scheduler_name: str, steps: int) -> Tensor:
    """Return the noise levels of a schedule, ending in 0."""
    return schedules.SCHEDULES[scheduler_name](model_sampling._form.levels, steps)


def sampler_object(name: str) -> KSAMPLER:
    """Return a solver with its usual settings."""
    return KSAMPLER(name)


def ksampler(
    sampler_name: str, extra_options: Mapping[str, Any] | None = None, inpaint_options: Mapping[str, Any] | None = None
) -> KSAMPLER:
    """Return a solver with settings."""
    return KSAMPLER(sampler_name, extra_options, inpaint_options)


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
        solver = sampler_object(self.sampler)
        return sample_custom(
            self.model, noise, cfg, solver, levels, positive, negative, latent, denoise_mask, callback, seed=seed
        )


def _levels(model: ModelPatcher, sampler: str, scheduler: str, count: int, denoise: float) -> Tensor:
    drops = solvers.SOLVERS[sampler].drops_penultimate
    levels = model.model.model_sampling._form.levels
    return steps.run_sigmas(schedules.SCHEDULES[scheduler], levels, count, denoise, drops)


def sample(
    model: ModelPatcher,
    noise: Tensor,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    positive: Any,
    negative: Any,
    latent_image: Tensor,
    denoise: float = 1.0,
    disable_noise: bool = False,
    start_step: int | None = None,
    last_step: int | None = None,
    force_full_denoise: bool = False,
    noise_mask: Tensor | None = None,
    sigmas: Tensor | None = None,
    callback: Callable[..., Any] | None = None,
    disable_pbar: bool = False,
    seed: int | None = None,
) -> Tensor:
    """Denoise latents from given noise, over all or some of the steps of a schedule."""
    run = KSampler(model, steps, None, sampler_name, scheduler, denoise)
    return run.sample(
        noise, positive, negative, cfg, latent_image, start_step, last_step, force_full_denoise, noise_mask, sigmas,
        callback, seed=seed,
    )  # fmt: skip


def sample_custom(
    model: ModelPatcher,
    noise: Tensor,
    cfg: float,
    sampler: KSAMPLER,
    sigmas: Tensor,
    positive: Any,
    negative: Any,
    latent_image: Tensor,
    noise_mask: Tensor | None = None,
    callback: Callable[..., Any] | None = None,
    disable_pbar: bool = False,
    seed: int | None = None,
) -> Tensor:
    """Take latents down noise levels from given noise."""
    guider = CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    return guider.sample(noise, latent_image, sampler, sigmas, noise_mask, callback, seed=seed)
