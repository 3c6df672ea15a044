"""Put a guider, noise and a latent behind the seam of the solvers, and run one."""

from functools import partial
from typing import NamedTuple, cast

import torch
from torch import Tensor

from engine.context import Context
from engine.errors import InputError
from nodes.models import control
from nodes.models.families.checkpoint import LatentFormat
from nodes.models.guider import guidance
from nodes.models.parametrization import Parametrization, parametrization
from nodes.models.parts import Canvas, network, parts
from nodes.models.pool import Pool
from nodes.models.preview import preview
from nodes.models.service import pool
from nodes.models.unet import Unet
from nodes.recipes import Guider, Latent, NoiseSource, Sampler
from nodes.sampling import inpaint, noise
from nodes.sampling.guidance import paired
from nodes.sampling.seam import GuidedDenoiser
from nodes.sampling.solvers import SOLVERS, Solver


class Sampled(NamedTuple):
    """What came out of a run, at its last level, and the last prediction of what it would become without noise."""

    output: Latent
    denoised_output: Latent


@torch.no_grad()
def sample(
    ctx: Context, guider: Guider, sampler: Sampler, sigmas: Tensor, source: NoiseSource, latent: Latent
) -> Sampled:
    """Take a latent down the levels ``sigmas`` and return it, with everything else that it carries.

    Without levels the latent is returned as it is; one level only puts noise on it.

    Raises:
        InputError: the latent has channels that the model does not know, or an area lies outside it.
        ModelError: a prompt was encoded, or a ControlNet made, for another family.
    """
    if not len(sigmas):
        return Sampled(latent, latent)
    models = ctx.use(pool)
    unet = models.unet(guider.model)
    model = parametrization(models.checkpoint(guider.model.file))
    start = entered(latent.samples, unet.latent).to(unet.device)
    drawn = starting_noise(source, latent, start)
    solver = SOLVERS[sampler.solver]
    background = _background(solver, source.seed, drawn)
    denoise = _denoiser(models, guider, unet, model, _canvas(latent, start), background)
    rule = cast(noise.AncestralNoise, ctx.settings.ancestral_noise)
    x = noise.start(start, drawn, sigmas[0], model.levels, model.process)
    last = x

    def on_step(step: int, denoised: Tensor) -> None:
        nonlocal last
        last = denoised
        ctx.progress(step + 1, len(sigmas) - 1, lambda: preview(denoised, unet.latent))

    if len(sigmas) > 1:
        fresh = noise.noise_for(solver.noise, source.seed, x, sigmas, rule, model.process)
        x = partial(solver.run, **sampler.settings)(denoise, x, sigmas, fresh, on_step)
    x = model.process.finish(x, sigmas[-1])
    return Sampled(left(latent, x, unet.latent), left(latent, last, unet.latent))


def starting_noise(source: NoiseSource, latent: Latent, like: Tensor) -> Tensor:
    """Return the noise that a run starts with, in shape and on the device of ``like``."""
    if not source.starts:
        return torch.zeros_like(like)
    return noise.starting_noise(source.seed, like.shape, latent.batch_index).to(like.device)


def entered(samples: Tensor, form: LatentFormat) -> Tensor:
    """Return a latent in the model's own scale. An empty one fits every model.

    Raises:
        InputError: it has channels that the model does not know.
    """
    if not samples.any():
        return torch.zeros(samples.shape[0], form.channels, *samples.shape[2:])
    if samples.shape[1] != form.channels:
        raise InputError(
            "The latent is not of the model's family.",
            input="latent_image",
            got=f"{samples.shape[1]} channels",
            expected=f"{form.channels} channels",
            hint="Make it with the VAE that belongs to the model.",
        )
    return (samples.float() - form.shift) * form.scale


def left(latent: Latent, x: Tensor, form: LatentFormat) -> Latent:
    """Return ``x``, which is in the model's own scale, in place of the samples of a latent."""
    samples = x.cpu() / form.scale + form.shift
    return Latent(samples, latent.noise_mask, latent.batch_index, latent.extra)


def _canvas(latent: Latent, start: Tensor) -> Canvas:
    mask = latent.noise_mask
    return Canvas(start, None if mask is None else inpaint.latent_mask(mask, start))


def _background(solver: Solver, seed: int, drawn: Tensor) -> Tensor:
    """Return the noise under a mask."""
    return noise.background_noise(seed, drawn.shape).to(drawn) if solver.fresh_background else drawn


def _denoiser(
    models: Pool, guider: Guider, unet: Unet, model: Parametrization, canvas: Canvas, background: Tensor
) -> GuidedDenoiser:
    sides = [
        control.steered(parts(side, unet, canvas, model.levels), side, models, guider.model, model.levels)
        for side in control.spread(guider.sides)
    ]
    guided = guidance(guider, control.ranged(model.predictor(network(unet))), paired(*sides))
    if canvas.mask is None:
        return guided
    return inpaint.Inpaint(guided, canvas.mask, canvas.latent, background, model.process)
