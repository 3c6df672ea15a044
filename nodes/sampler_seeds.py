"""Sample latents of several seeds at once."""

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.context import Context
from engine.errors import InputError
from engine.node import node
from nodes.choices import SamplerName, SchedulerName
from nodes.inputs import Cfg, Fraction, Steps
from nodes.lazy import lazy
from nodes.recipes import Conditioning, Latent, Model, NoiseSource, Sampler, classifier_free

if TYPE_CHECKING:
    from nodes.models import levels, sample
else:
    levels = lazy("nodes.models.levels")
    sample = lazy("nodes.models.sample")


@node("KSamplerSeeds", category="sampling", display_name="KSampler (several seeds)", resource="gpu", numeric=True)
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
    if not seeds or not all(type(seed) is int and 0 <= seed < 2**64 for seed in seeds):
        raise InputError(
            "Seeds are whole numbers.",
            input="seeds",
            got=seeds,
            expected="[7, 8, ...]",
            hint="Give it a list of seeds.",
        )
    whole = latent_image if joined else repeated(latent_image, len(seeds))
    if len(whole.samples) % len(seeds):
        raise InputError(
            "The latent has no part for each seed.",
            input="seeds",
            got=f"{len(seeds)} seeds for {len(whole.samples)} latents",
            expected="as many latents for each seed",
            hint="Turn joined off, or give it as many seeds as the sampler before.",
        )
    sigmas = levels.scheduled(ctx, model, scheduler, steps, denoise, sampler_name)
    guider = classifier_free(model, positive, negative, cfg)
    sources = [NoiseSource(seed) for seed in seeds]
    made = sample.sample(ctx, guider, Sampler(sampler_name), sigmas, sources, whole).output
    return replace(made, batch_index=None)


def repeated(latent: Latent, count: int) -> Latent:
    """Return a latent whose batch is there so many times; masks that are as many as the latents go along."""
    samples, mask = latent.samples, latent.noise_mask
    if mask is not None and len(mask) == len(samples):
        mask = mask.repeat(count, *[1] * (mask.dim() - 1))
    return replace(latent, samples=samples.repeat(count, 1, *[1] * (samples.dim() - 2)), noise_mask=mask)
