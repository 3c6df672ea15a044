"""Put a model, prompts and a latent behind the seam of the solvers, and run one."""

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import torch
from PIL import Image
from torch import Tensor

from engine.context import Context
from engine.errors import InputError, ModelError
from nodes.models import spaces
from nodes.models.families.checkpoint import Checkpoint, LatentFormat
from nodes.models.service import pool
from nodes.models.unet import Unet
from nodes.recipes import Conditioning, Latent, Model
from nodes.sampling import inpaint, noise, prediction, steps
from nodes.sampling.guidance import Guidance, Part, paired
from nodes.sampling.schedules import SCHEDULES
from nodes.sampling.seam import GuidedDenoiser
from nodes.sampling.solvers import SOLVERS

PREDICTORS: Mapping[str, Callable[..., prediction.Predictor]] = {
    "eps": prediction.eps, "v": prediction.v, "flow": prediction.flow,
}  # fmt: skip
PREVIEW_PIXELS = 256


@torch.no_grad()
def sample(
    ctx: Context,
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    latent: Latent,
    *,
    seed: int,
    cfg: float,
    solver: str,
    scheduler: str,
    step_count: int,
    denoise: float = 1.0,
    first_step: int = 0,
    last_step: int | None = None,
    add_noise: bool = True,
    leftover_noise: bool = False,
) -> Latent:
    """Denoise a latent and return it, with everything else that it carries.

    Raises:
        InputError: the latent is of another family.
        ModelError: a prompt was encoded for another family.
    """
    checkpoint, solve = ctx.use(pool).checkpoint(model.file), SOLVERS[solver]
    levels = checkpoint.levels()
    sigmas = steps.run_sigmas(SCHEDULES[scheduler], levels, step_count, denoise, solve.drops_penultimate)
    sigmas = steps.cut(sigmas, first_step, last_step, leftover_noise)
    if len(sigmas) < 2:
        return latent
    unet = ctx.use(pool).unet(model)
    start = _entered(latent, unet.latent).to(unet.device)
    drawn = noise.starting_noise(seed, start.shape, latent.batch_index) if add_noise else torch.zeros(start.shape)
    drawn = drawn.to(unet.device)
    predict = PREDICTORS[unet.prediction](unet.predict, levels)
    cond = _parts(positive, unet, checkpoint, start, is_negative=False)
    uncond = _parts(negative, unet, checkpoint, start, is_negative=True)
    guided: GuidedDenoiser = Guidance(predict, *paired(cond, uncond), cfg)
    if latent.noise_mask is not None:
        background = noise.background_noise(seed, start.shape).to(start) if solve.fresh_background else drawn
        guided = inpaint.Inpaint(guided, inpaint.latent_mask(latent.noise_mask, start), start, background)
    x = noise.start(start, drawn, sigmas[0], levels)
    rule = cast(noise.AncestralNoise, ctx.settings.ancestral_noise)
    source = noise.noise_for(solve.noise, seed, x, sigmas, rule)

    def on_step(step: int, denoised: Tensor) -> None:
        ctx.progress(step + 1, len(sigmas) - 1, lambda: preview(denoised, unet.latent))

    x = solve.run(guided, x, sigmas, source, on_step)
    samples = x.cpu() / unet.latent.scale + unet.latent.shift
    return replace(latent, samples=samples, space=unet.latent.space)


def _entered(latent: Latent, form: LatentFormat) -> Tensor:
    """Return a latent in the model's own scale. An empty one fits every model."""
    samples: Tensor = latent.samples
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
    spaces.check(latent, form, "latent_image")
    return (samples.float() - form.shift) * form.scale


def _parts(
    conditioning: Conditioning, unet: Unet, checkpoint: Checkpoint, start: Tensor, is_negative: bool
) -> tuple[Part, ...]:
    width = cast(Any, unet.module).config.cross_attention_dim
    parts = []
    for cond in conditioning.entries:
        if cond.context.shape[-1] != width:
            raise ModelError(
                "A prompt was encoded for another family of models.",
                got=f"width {cond.context.shape[-1]}",
                expected=f"width {width}",
                hint="Encode it with the text encoder that belongs to the model.",
            )
        inputs = checkpoint.inputs(cond, start.shape, is_negative)
        parts.append(Part({name: value.to(unet.device) for name, value in inputs.items()}))
    return tuple(parts)


def preview(denoised: Tensor, form: LatentFormat) -> bytes:
    """Return the first picture of a batch as a JPEG, by a linear map from latent channels to colours."""
    matrix = torch.tensor(form.rgb, dtype=torch.float32, device=denoised.device)
    colours = torch.einsum("chw,cr->hwr", denoised[0].float(), matrix)
    pixels = ((colours + 1) * 127.5).clamp(0, 255).byte().cpu().numpy()
    picture = Image.fromarray(pixels)
    scale = max(1, PREVIEW_PIXELS // max(picture.size))
    picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
