"""Make, resize and regroup latents."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from engine.node import Field, Widget, node
from engine.types import Mask
from nodes.inputs import CELL, MAX_SIDE, BatchSize, Crop, LatentMethod, ScaleFactor
from nodes.lazy import lazy
from nodes.recipes import Latent

if TYPE_CHECKING:
    import torch

    from nodes.pixels import resize
else:
    torch = lazy("torch")
    resize = lazy("nodes.pixels.resize")

LatentSide = Annotated[int, Field(ge=16, le=MAX_SIDE), Widget(step=8)]
Length = Annotated[int, Field(ge=0, le=MAX_SIDE), Widget(step=8)]
"""A side in pixels where 0 means: as the other side and the proportions ask."""

SMALLEST = 64
"""The shortest side that LatentUpscale makes, in pixels."""


@node("EmptyLatentImage", category="latent", display_name="Empty Latent Image")
def empty_latent_image(width: LatentSide = 512, height: LatentSide = 512, batch_size: BatchSize = 1) -> Latent:
    """Make empty latents for a size in pixels, to be filled by a sampler.

    They have 4 channels and one cell per 8 pixels. Zeros carry nothing, so a sampler whose family has another number
    of channels takes them as its own.
    """
    return Latent(torch.zeros(batch_size, 4, height // CELL, width // CELL))


WholeSide = Annotated[int, Field(ge=16, le=MAX_SIDE), Widget(step=16)]


@node("EmptySD3LatentImage", category="latent/sd3")
def empty_sd3_latent_image(width: WholeSide = 1024, height: WholeSide = 1024, batch_size: BatchSize = 1) -> Latent:
    """Make empty latents for a size in pixels, with the 16 channels of Stable Diffusion 3 and Flux.

    Not compared with the reference.
    """
    return Latent(torch.zeros(batch_size, 16, height // CELL, width // CELL))


@node("LatentUpscale", category="latent", display_name="Upscale Latent")
def latent_upscale(
    samples: Latent, *, upscale_method: LatentMethod, width: Length = 512, height: Length = 512, crop: Crop
) -> Latent:
    """Resize latents to a size in pixels.

    A side is at least 64. A side of 0 keeps the proportions, two leave the latents as they are.
    """
    if width == 0 and height == 0:
        return samples
    rows, columns = samples.samples.shape[-2:]
    width, height = (
        max(SMALLEST, width or round(columns * max(SMALLEST, height) / rows)),
        max(SMALLEST, height or round(rows * max(SMALLEST, width) / columns)),
    )
    resized = resize.resize(samples.samples, width // CELL, height // CELL, upscale_method, crop)
    return replace(samples, samples=resized)


@node("LatentUpscaleBy", category="latent", display_name="Upscale Latent By")
def latent_upscale_by(samples: Latent, *, upscale_method: LatentMethod, scale_by: ScaleFactor = 1.5) -> Latent:
    """Resize latents by a factor."""
    height, width = (max(1, round(side * scale_by)) for side in samples.samples.shape[-2:])
    return replace(samples, samples=resize.resize(samples.samples, width, height, upscale_method))


@node("LatentFromBatch", category="latent/batch", display_name="Latent From Batch")
def latent_from_batch(
    samples: Latent,
    batch_index: Annotated[int, Field(ge=0, le=63)] = 0,
    length: Annotated[int, Field(ge=1, le=64)] = 1,
) -> Latent:
    """Take some latents out of a batch; each keeps the noise that it has in the batch.

    An index behind the end takes the last one; there may be fewer than ``length`` left.
    """
    count = len(samples.samples)
    start = min(batch_index, count - 1)
    stop = min(start + length, count)
    mask = samples.noise_mask
    if mask is not None and len(mask) > 1:
        mask = resize.cycled(mask, count)[start:stop].clone()
    return replace(
        samples,
        samples=samples.samples[start:stop].clone(),
        noise_mask=mask,
        batch_index=tuple(range(count) if samples.batch_index is None else samples.batch_index)[start:stop],
    )


@node("RepeatLatentBatch", category="latent/batch", display_name="Repeat Latent Batch")
def repeat_latent_batch(samples: Latent, amount: Annotated[int, Field(ge=1, le=64)] = 1) -> Latent:
    """Repeat a batch of latents; where the places in the noise are known, each repetition gets noise of its own."""
    mask, places = samples.noise_mask, samples.batch_index
    if mask is not None and len(mask) > 1:
        mask = torch.cat([resize.cycled(mask, len(samples.samples))] * amount)
    if places is not None:
        span = max(places) - min(places) + 1
        places = tuple(place + turn * span for turn in range(amount) for place in places)
    return replace(samples, samples=torch.cat([samples.samples] * amount), noise_mask=mask, batch_index=places)


@node("SetLatentNoiseMask", category="latent/inpaint", display_name="Set Latent Noise Mask")
def set_latent_noise_mask(samples: Latent, mask: Mask) -> Latent:
    """Let a sampler change latents only where a mask is bright; the mask may have any size."""
    return replace(samples, noise_mask=mask.reshape(-1, *mask.shape[-2:]))
