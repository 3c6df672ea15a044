"""Sample latents."""

from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from engine.context import Context
from engine.node import Field, Widget, node
from nodes.choices import SamplerName, SchedulerName
from nodes.inputs import Cfg, Seed, Steps
from nodes.lazy import lazy
from nodes.recipes import Conditioning, Guider, Latent, Model, NoiseSource, Sampler, Sigmas, classifier_free

if TYPE_CHECKING:
    from nodes.models import levels, noised, sample
    from nodes.sampling import steps as cut
else:
    levels = lazy("nodes.models.levels")
    noised = lazy("nodes.models.noised")
    sample = lazy("nodes.models.sample")
    cut = lazy("nodes.sampling.steps")


@node("KSampler", version=4, category="sampling", resource="gpu", numeric=True)
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
    sigmas = levels.scheduled(ctx, model, scheduler, steps, denoise, sampler_name)
    guider = classifier_free(model, positive, negative, cfg)
    return sample.sample(ctx, guider, Sampler(sampler_name), sigmas, NoiseSource(seed), latent_image).output


@node(
    "KSamplerAdvanced", version=4, category="sampling", display_name="KSampler (Advanced)", resource="gpu", numeric=True
)
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
    sigmas = levels.scheduled(ctx, model, scheduler, steps, solver=sampler_name)
    sigmas = cut.cut(sigmas, start_at_step, end_at_step, return_with_leftover_noise == "enable")
    guider = classifier_free(model, positive, negative, cfg)
    source = NoiseSource(noise_seed, add_noise == "enable")
    return sample.sample(ctx, guider, Sampler(sampler_name), sigmas, source, latent_image).output


class Sampled(NamedTuple):
    output: Latent
    denoised_output: Latent


@node("SamplerCustom", version=4, category="sampling/custom_sampling", resource="gpu", numeric=True)
def sampler_custom(
    ctx: Context,
    model: Model,
    add_noise: bool = True,
    noise_seed: Seed = 0,
    cfg: Cfg = 8.0,
    *,
    positive: Conditioning,
    negative: Conditioning,
    sampler: Sampler,
    sigmas: Sigmas,
    latent_image: Latent,
) -> Sampled:
    """Take a latent down a list of noise levels with a sampler of choice.

    The second output is the sampler's last idea of what the latent is without noise.
    """
    guider = classifier_free(model, positive, negative, cfg)
    return Sampled(*sample.sample(ctx, guider, sampler, sigmas, NoiseSource(noise_seed, add_noise), latent_image))


@node("SamplerCustomAdvanced", version=4, category="sampling/custom_sampling", resource="gpu", numeric=True)
def sampler_custom_advanced(
    ctx: Context, noise: NoiseSource, guider: Guider, sampler: Sampler, sigmas: Sigmas, latent_image: Latent
) -> Sampled:
    """Take a latent down a list of noise levels, with noise, guidance and sampler of choice.

    The second output is the sampler's last idea of what the latent is without noise.
    """
    return Sampled(*sample.sample(ctx, guider, sampler, sigmas, noise, latent_image))


@node("AddNoise", category="_for_testing/custom_sampling/noise", resource="gpu", numeric=True)
def add_noise(ctx: Context, model: Model, noise: NoiseSource, sigmas: Sigmas, latent_image: Latent) -> Latent:
    """Put noise on a latent: as much as lies between the first and the last of some noise levels."""
    return noised.noised(ctx, model, noise, sigmas, latent_image)
