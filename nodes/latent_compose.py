"""Put several latents together."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from engine.node import Field, OptionalInput, Widget, node
from engine.types import Mask
from nodes.inputs import CELL, MAX_SIDE, Fraction, Place
from nodes.lazy import lazy
from nodes.recipes import Latent

if TYPE_CHECKING:
    import torch

    from nodes.pixels import paste, resize
    from nodes.sampling import regions
else:
    torch = lazy("torch")
    paste = lazy("nodes.pixels.paste")
    resize = lazy("nodes.pixels.resize")
    regions = lazy("nodes.sampling.regions")


@node("LatentComposite", category="latent", display_name="Latent Composite")
def latent_composite(
    samples_to: Latent,
    samples_from: Latent,
    x: Place = 0,
    y: Place = 0,
    feather: Annotated[int, Field(ge=0, le=MAX_SIDE), Widget(step=8)] = 0,
) -> Latent:
    """Lay one latent over another at a place in pixels; the feather fades it out towards inner borders."""
    x, y, below = x // CELL, y // CELL, samples_to.samples
    rows, columns = below.shape[-2:]
    piece = samples_from.samples[..., : max(0, rows - y), : max(0, columns - x)]
    height, width = piece.shape[-2:]
    mask = paste.feather(height, width, x, y, (rows, columns), feather // CELL)
    return replace(samples_to, samples=paste.paste(below, piece, x, y, mask))


@node("LatentCompositeMasked", category="latent")
def latent_composite_masked(
    destination: Latent,
    source: Latent,
    x: Place = 0,
    y: Place = 0,
    resize_source: bool = False,
    mask: Annotated[Mask | None, OptionalInput()] = None,
) -> Latent:
    """Lay the part of a latent where a mask is bright over another, at a place in pixels."""
    laid, below = source.samples, destination.samples
    if resize_source:
        laid = torch.nn.functional.interpolate(laid, below.shape[-2:], mode="bilinear")
    if mask is not None:
        mask = regions.resized_mask(mask.reshape(-1, *mask.shape[-2:]), *laid.shape[-2:])[:, None]
    return replace(destination, samples=paste.paste(below, laid, x // CELL, y // CELL, mask))


@node("LatentBlend", category="_for_testing", display_name="Latent Blend")
def latent_blend(samples1: Latent, samples2: Latent, blend_factor: Fraction = 0.5) -> Latent:
    """Mix two latents: 1 is the first, 0 the second, which takes the size of the first."""
    one = samples1.samples
    other = resize.cycled(resize.fitted(samples2.samples, one, "bicubic"), len(one))
    return replace(samples1, samples=one * blend_factor + other * (1 - blend_factor))


@node("LatentBatch", category="latent/batch")
def latent_batch(samples1: Latent, samples2: Latent) -> Latent:
    """Put two batches of latents one after the other; the second takes the size of the first."""
    samples = torch.cat([samples1.samples, resize.fitted(samples2.samples, samples1.samples)])
    return replace(samples1, samples=samples, batch_index=_places(samples1) + _places(samples2))


def _places(latent: Latent) -> tuple[int, ...]:
    return tuple(range(len(latent.samples))) if latent.batch_index is None else latent.batch_index
