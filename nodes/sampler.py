"""Sample latents."""

from typing import TYPE_CHECKING, Annotated, Literal

from engine.context import Context
from engine.node import Field, Widget, node
from nodes.choices import SamplerName, SchedulerName
from nodes.lazy import lazy
from nodes.recipes import Conditioning, Latent, Model

if TYPE_CHECKING:
    from nodes.models import sample
else:
    sample = lazy("nodes.models.sample")

Seed = Annotated[int, Field(ge=0, lt=2**64), Widget(control_after_generate=True)]
Steps = Annotated[int, Field(ge=1, le=10_000)]
Cfg = Annotated[float, Field(ge=0.0, le=100.0), Widget(step=0.1, round=0.01)]


@node("KSampler", category="sampling", resource="gpu", numeric=True)
def ksampler(
    ctx: Context,
    model: Model,
    *,
    seed: Seed = 0,
    steps: Steps = 20,
    cfg: Cfg = 8.0,
    sampler_name: SamplerName,
    scheduler: SchedulerName,
    positive: Conditioning,
    negative: Conditioning,
    latent_image: Latent,
    denoise: Annotated[float, Field(ge=0.0, le=1.0), Widget(step=0.01)] = 1.0,
) -> Latent:
    """Denoise a latent from a seed. A denoise below 1 keeps part of what the latent holds."""
    return sample.sample(
        ctx,
        model,
        positive,
        negative,
        latent_image,
        seed=seed,
        cfg=cfg,
        solver=sampler_name,
        scheduler=scheduler,
        step_count=steps,
        denoise=denoise,
    )


@node("KSamplerAdvanced", category="sampling", display_name="KSampler (Advanced)", resource="gpu", numeric=True)
def ksampler_advanced(
    ctx: Context,
    model: Model,
    *,
    add_noise: Literal["enable", "disable"],
    noise_seed: Seed = 0,
    steps: Steps = 20,
    cfg: Cfg = 8.0,
    sampler_name: SamplerName,
    scheduler: SchedulerName,
    positive: Conditioning,
    negative: Conditioning,
    latent_image: Latent,
    start_at_step: Annotated[int, Field(ge=0, le=10_000)] = 0,
    end_at_step: Annotated[int, Field(ge=0, le=10_000)] = 10_000,
    return_with_leftover_noise: Literal["disable", "enable"],
) -> Latent:
    """Denoise a latent over some of the steps of a schedule."""
    return sample.sample(
        ctx,
        model,
        positive,
        negative,
        latent_image,
        seed=noise_seed,
        cfg=cfg,
        solver=sampler_name,
        scheduler=scheduler,
        step_count=steps,
        first_step=start_at_step,
        last_step=end_at_step,
        add_noise=add_noise == "enable",
        leftover_noise=return_with_leftover_noise == "enable",
    )
