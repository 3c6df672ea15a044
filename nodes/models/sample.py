"""Put a guider, noise and a latent behind the seam of the solvers, and run one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from engine.context import Context
from engine.errors import InputError
from nodes.foreign import ForeignGuider, ForeignNoise, ForeignOptions, ForeignSampler
from nodes.models import control, hooked_weights, skipping, spaces, step_caches
from nodes.models.families.checkpoint import LatentFormat
from nodes.models.frugal import FrugalNetwork
from nodes.models.guider import corrected, guidance, resolved
from nodes.models.network_hooks import laid, network_hooks
from nodes.models.parametrization import Parametrization, parametrization
from nodes.models.parts import Work, parts
from nodes.models.pool import Pool
from nodes.models.preview import Previews
from nodes.models.service import pool
from nodes.models.variants import Variants
from nodes.network_options import SoftMask
from nodes.pixels.resize import resize
from nodes.recipes import Guider, Latent, NoiseSource, Sampler
from nodes.sampling import inpaint, noise
from nodes.sampling.guidance import Part, paired
from nodes.sampling.seam import Guided, GuidedDenoiser
from nodes.sampling.solvers import LCM_UPSCALE, SOLVERS, Solver

SIDE = "side"
"""The input that says of each latent which side it is predicted for. Foreign code asks for it, networks don't."""

Watch = Callable[[int, Tensor, Tensor, int], None]
"""Gets each step: its number, what the sampler made of x without noise, x, and how many steps there are."""


class Sampled(NamedTuple):
    """What came out of a run, at its last level, and the last prediction of what it would become without noise."""

    output: Latent
    denoised_output: Latent


@torch.no_grad()
def sample(
    ctx: Context,
    guider: Guider,
    sampler: Sampler,
    sigmas: Tensor,
    source: NoiseSource | Sequence[NoiseSource],
    latent: Latent,
    watch: Watch | None = None,
) -> Sampled:
    """Take a latent down the levels ``sigmas`` and return it, with everything else that it carries.

    ``watch`` is told of each step, in the model's own scale.

    Without levels the latent is returned as it is; one level only puts noise on it. Of several noise sources each
    belongs to an equal part of the batch, and draws for it what it would draw for that part alone.

    Raises:
        InputError: the latent is of another family, or an area lies outside it.
        ModelError: a prompt was encoded, or a ControlNet made, for another family.
    """
    if not len(sigmas):
        return Sampled(latent, latent)
    if ctx.settings.precision == "bf16" and not ctx.settings.bf16:
        ctx.warn("bf16 was chosen, and this device has no arithmetic for it: fp32 is faster, and closer.")
    guider, models = resolved(guider), ctx.use(pool)
    checkpoint = models.checkpoint(guider.model.file)
    model, form = parametrization(guider.model, checkpoint), checkpoint.latent
    start = entered(latent, form).to(models.device)
    sources = (source,) if isinstance(source, NoiseSource) else source
    count = len(sources)
    empty = zip(sources, start.chunk(count), strict=True)
    drawn = torch.cat([starting_noise(each, latent, share) for each, share in empty])
    solver, settings = _solver(sampler, sources[0].seed)
    if solver.resizes:
        _check_growing(latent, models.network(guider.model).channels > form.channels)
    rule = cast(noise.AncestralNoise, ctx.settings.ancestral_noise)
    x = noise.start(start, drawn, sigmas[0], model.levels, model.process)
    last, previews = x, Previews(form)

    def on_step(step: int, denoised: Tensor) -> None:
        nonlocal last
        last = denoised
        if watch:
            watch(step, denoised, seen.x, len(sigmas) - 1)
        ctx.progress(step + 1, len(sigmas) - 1, previews.of(denoised))

    with models.residents.together():
        shares = list(zip(sources, drawn.chunk(count), strict=True))
        background = torch.cat([_background(solver, each.seed, share) for each, share in shares])
        seen = Seen(_denoiser(ctx, models, guider, model, start, _mask(latent, start), background, sigmas), x)
        if len(sigmas) > 1:
            draw = partial(noise.noise_for, solver.noise, sigmas=sigmas, rule=rule, process=model.process)
            fresh = noise.joined([draw(each.seed, share) for each, share in shares])
            x = partial(solver.run, **settings)(seen, x, sigmas, fresh, on_step)
    x = model.process.finish(x, sigmas[-1])
    return Sampled(left(latent, x, form), left(latent, last, form))


def _solver(sampler: Sampler, seed: int) -> tuple[Solver, Mapping[str, Any]]:
    """Return a solver, and what it is called with besides."""
    if isinstance(sampler, ForeignSampler):
        return sampler.code(seed), sampler.settings
    if sampler.solver != UPSCALING:
        return SOLVERS[sampler.solver], sampler.settings
    settings = {**sampler.settings}
    return LCM_UPSCALE, {"resize": partial(resize, method=settings.pop("upscale_method")), **settings}


UPSCALING = "lcm_upscale"


def _check_growing(latent: Latent, is_beside: bool) -> None:
    if latent.noise_mask is not None or is_beside:
        raise InputError(
            "The sampler changes the size of the latent, and what lies beside it can't follow.",
            input="sampler",
            got="a noise mask" if latent.noise_mask is not None else "a model that wants a picture beside the latent",
            expected="a latent without a noise mask, and a model that takes nothing beside it",
            hint="Take another sampler, and enlarge the latent between two of them.",
        )


@dataclass(slots=True, eq=False)
class Seen:
    """A denoiser that keeps the last x that it was called with."""

    denoise: GuidedDenoiser
    x: Tensor

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        self.x = x
        return self.denoise(x, sigma)

    def both(self, x: Tensor, sigma: Tensor) -> Guided:
        self.x = x
        return self.denoise.both(x, sigma)


def starting_noise(source: NoiseSource, latent: Latent, like: Tensor) -> Tensor:
    """Return the noise that a run starts with, in shape and on the device of ``like``.

    Raises:
        InputError: foreign code drew noise of another shape.
    """
    if not source.starts:
        return torch.zeros_like(like)
    if isinstance(source, ForeignNoise):
        drawn: Tensor = source.draw(latent, like)
        if drawn.shape != like.shape:
            raise InputError(
                "The noise is not of the latent's shape.", input="noise", got=drawn.shape, expected=like.shape
            )
        return drawn.to(like)
    return noise.starting_noise(source.seed, like.shape, latent.batch_index).to(like.device)


def entered(latent: Latent, form: LatentFormat, input: str = "latent_image") -> Tensor:
    """Return the samples of a latent in the model's own scale. An empty one fits every model.

    Raises:
        InputError: it is of another family; ``input`` is where it came in.
    """
    samples: Tensor = latent.samples
    if not samples.any():
        return torch.zeros(samples.shape[0], form.channels, *samples.shape[2:])
    if samples.shape[1] != form.channels:
        raise InputError(
            "The latent is not of the model's family.",
            input=input,
            got=f"{samples.shape[1]} channels",
            expected=f"{form.channels} channels",
            hint="Make it with the VAE that belongs to the model.",
        )
    spaces.check(latent, form, input)
    return (samples.float() - form.shift) * form.scale


def left(latent: Latent, x: Tensor, form: LatentFormat) -> Latent:
    """Return a latent with ``x``, which is in the model's own scale, in place of its samples."""
    return replace(latent, samples=x.cpu() / form.scale + form.shift, space=form.space)


def _mask(latent: Latent, start: Tensor) -> Tensor | None:
    return None if latent.noise_mask is None else inpaint.latent_mask(latent.noise_mask, start)


def _background(solver: Solver, seed: int, drawn: Tensor) -> Tensor:
    """Return the noise under a mask."""
    return noise.background_noise(seed, drawn.shape).to(drawn) if solver.fresh_background else drawn


def _denoiser(
    ctx: Context,
    models: Pool,
    guider: Guider,
    model: Parametrization,
    start: Tensor,
    mask: Tensor | None,
    background: Tensor,
    sigmas: Tensor,
) -> GuidedDenoiser:
    one = models.working(guider.model, len(guider.sides), start[0, 0].numel())
    hooked = hooked_weights.groups(guider.sides)
    hooked_weights.check(ctx, models, guider.model, hooked)
    variants = Variants(models, guider.model, len(hooked), ctx.warn)
    unet = models.unet(guider.model, one + variants.least_bytes)
    work = Work(unet, models.checkpoint(guider.model.file).inputs, model.levels, start, mask)
    sides = [
        control.steered(parts(side, work, is_negative=place > 0), side, models, guider.model, work.levels)
        for place, side in enumerate(control.spread(guider.sides))
    ]
    hooks = network_hooks(guider.model, models, work.levels)
    frugal = FrugalNetwork(models, guider.model, unet, ctx.warn, variants)
    network = step_caches.easily(frugal, guider.model, work.levels)
    ranged = hooked_weights.scheduled(
        skipping.ranged(control.ranged(model.predictor(network))), guider.model, work.levels, sigmas
    )
    predict = laid(ranged, hooks, work.levels)
    foreign = guider.model.option(ForeignOptions)
    if foreign and foreign.around:
        sides = [_marked(side, place) for place, side in enumerate(sides)]
        predict = foreign.around(predict, len(start), sigmas)
    guided: GuidedDenoiser
    if isinstance(guider, ForeignGuider):
        guided = guider.code(predict, paired(*sides), sigmas)
    else:
        guided = corrected(guider, guidance(guider, predict, paired(*sides)), work.levels)
    guided = step_caches.lazily(guided, guider.model, work.levels)
    if mask is None:
        return guided
    soft = guider.model.option(SoftMask)
    mask_at = inpaint.differential(work.levels, sigmas[0], sigmas[-1], soft.strength) if soft else None
    if foreign and foreign.mask_at:
        mask_at = partial(foreign.mask_at, sigmas)
    return inpaint.Inpaint(guided, mask, start, background, model.process, mask_at)


def _marked(side: Sequence[Part], place: int) -> tuple[Part, ...]:
    return tuple(replace(part, inputs={**part.inputs, SIDE: torch.tensor([place])}) for part in side)
