"""Sample latents of several seeds at once."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from engine.context import Context
from engine.errors import InputError
from engine.node import Field, node
from nodes.choices import SamplerName, SchedulerName
from nodes.inputs import Cfg, Fraction, Steps
from nodes.lazy import lazy
from nodes.recipes import Conditioning, Guider, Latent, Model, NoiseSource, Sampler, Sigmas, classifier_free
from nodes.sampler import Sampled

if TYPE_CHECKING:
    from nodes.models import levels, sample
    from nodes.sampling import steps as cut
else:
    levels = lazy("nodes.models.levels")
    sample = lazy("nodes.models.sample")
    cut = lazy("nodes.sampling.steps")


@node(
    "KSamplerSeeds",
    version=4,
    category="sampling",
    display_name="KSampler (several seeds)",
    resource="gpu",
    numeric=True,
)
def ksampler_seeds(
    ctx: Context,
    model: Model,
    *,
    seeds: list[int],
    steps: Steps = 20,
    cfg: Cfg = 8.0,
    sampler_name: SamplerName,
    scheduler: SchedulerName,
    positive: Conditioning,
    negative: Conditioning,
    latent_image: Latent,
    denoise: Fraction = 1.0,
    joined: bool = False,
) -> Latent:
    """Denoise a latent once for each seed, all at once: each draws the noise that KSampler draws for it alone.

    The results lie behind each other in the batch. ``joined`` says that the latent is the output of such a node with as
    many seeds: each seed then belongs to its own part of the batch.
    """
    sources, whole = several(seeds, latent_image, joined)
    sigmas = levels.scheduled(ctx, model, scheduler, steps, denoise, sampler_name)
    guider = classifier_free(model, positive, negative, cfg)
    made = sample.sample(ctx, guider, Sampler(sampler_name), sigmas, sources, whole).output
    return replace(made, batch_index=None)


@node(
    "KSamplerAdvancedSeeds",
    version=4,
    category="sampling",
    display_name="KSampler (Advanced, several seeds)",
    resource="gpu",
    numeric=True,
)
def ksampler_advanced_seeds(
    ctx: Context,
    model: Model,
    *,
    add_noise: Literal["enable", "disable"],
    seeds: list[int],
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
    joined: bool = False,
) -> Latent:
    """Denoise a latent over some of the steps of a schedule, once for each seed, as KSamplerSeeds does."""
    sources, whole = several(seeds, latent_image, joined, add_noise == "enable")
    sigmas = levels.scheduled(ctx, model, scheduler, steps, solver=sampler_name)
    sigmas = cut.cut(sigmas, start_at_step, end_at_step, return_with_leftover_noise == "enable")
    guider = classifier_free(model, positive, negative, cfg)
    made = sample.sample(ctx, guider, Sampler(sampler_name), sigmas, sources, whole).output
    return replace(made, batch_index=None)


@node(
    "SamplerCustomSeeds",
    version=4,
    category="sampling/custom_sampling",
    display_name="SamplerCustom (several seeds)",
    resource="gpu",
    numeric=True,
)
def sampler_custom_seeds(
    ctx: Context,
    model: Model,
    add_noise: bool = True,
    *,
    seeds: list[int],
    cfg: Cfg = 8.0,
    positive: Conditioning,
    negative: Conditioning,
    sampler: Sampler,
    sigmas: Sigmas,
    latent_image: Latent,
    joined: bool = False,
) -> Sampled:
    """Take a latent down a list of noise levels once for each seed, as KSamplerSeeds does."""
    guider = classifier_free(model, positive, negative, cfg)
    return _sampled(ctx, guider, sampler, sigmas, several(seeds, latent_image, joined, add_noise))


@node(
    "SamplerCustomAdvancedSeeds",
    version=4,
    category="sampling/custom_sampling",
    display_name="SamplerCustomAdvanced (several seeds)",
    resource="gpu",
    numeric=True,
)
def sampler_custom_advanced_seeds(
    ctx: Context,
    *,
    seeds: list[int],
    guider: Guider,
    sampler: Sampler,
    sigmas: Sigmas,
    latent_image: Latent,
    add_noise: bool = True,
    joined: bool = False,
) -> Sampled:
    """Take a latent down a list of noise levels once for each seed, with guidance and sampler of choice."""
    return _sampled(ctx, guider, sampler, sigmas, several(seeds, latent_image, joined, add_noise))


def _sampled(
    ctx: Context, guider: Guider, sampler: Sampler, sigmas: Sigmas, start: tuple[list[NoiseSource], Latent]
) -> Sampled:
    made = sample.sample(ctx, guider, sampler, sigmas, *start)
    return Sampled(*(replace(each, batch_index=None) for each in made))


def several(seeds: list[int], latent: Latent, joined: bool, starts: bool = True) -> tuple[list[NoiseSource], Latent]:
    """Return the noise of each seed, and the latent with a part for each.

    Raises:
        InputError: seeds are no whole numbers, or a joined latent has no part for each.
    """
    if not seeds or not all(type(seed) is int and 0 <= seed < 2**64 for seed in seeds):
        raise InputError(
            "Seeds are whole numbers.",
            input="seeds",
            got=seeds,
            expected="[7, 8, ...]",
            hint="Give it a list of seeds.",
        )
    whole = latent if joined else repeated(latent, len(seeds))
    if len(whole.samples) % len(seeds):
        raise InputError(
            "The latent has no part for each seed.",
            input="seeds",
            got=f"{len(seeds)} seeds for {len(whole.samples)} latents",
            expected="as many latents for each seed",
            hint="Turn joined off, or give it as many seeds as the sampler before.",
        )
    return [NoiseSource(seed, starts) for seed in seeds], whole


def repeated(latent: Latent, count: int) -> Latent:
    """Return a latent whose batch is there so many times; masks that are as many as the latents go along."""
    samples, mask = latent.samples, latent.noise_mask
    if mask is not None and len(mask) == len(samples):
        mask = mask.repeat(count, *[1] * (mask.dim() - 1))
    return replace(latent, samples=samples.repeat(count, 1, *[1] * (samples.dim() - 2)), noise_mask=mask)
