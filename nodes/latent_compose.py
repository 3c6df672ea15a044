"""Put several latents together."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from engine.errors import InputError
from engine.node import Field, OptionalInput, Widget, node
from engine.types import Mask
from nodes.inputs import CELL, MAX_SIDE, BatchSize, Fraction, Place
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


@node("LatentConcat", category="latent/advanced")
def latent_concat(samples1: Latent, samples2: Latent, dim: Literal["x", "-x", "y", "-y", "t", "-t"]) -> Latent:
    """Put a latent beside another (x), below it (y) or behind it in time (t); with a minus the second comes first.

    A shorter batch starts again. Not compared with the reference.
    """
    axis = _axis(samples1, dim[-1])
    pair = [samples1.samples, resize.cycled(samples2.samples, len(samples1.samples))]
    sizes = [[size for place, size in enumerate(each.shape) if place != axis % each.ndim] for each in pair]
    if sizes[0] != sizes[1]:
        raise InputError(
            "The latents do not fit beside each other.",
            input="samples2",
            got=f"{tuple(pair[1].shape)} to {tuple(pair[0].shape)}",
            expected="equal sizes but along the dimension",
            hint="Resize or crop one of them first.",
        )
    return replace(samples1, samples=torch.cat(pair[::-1] if dim.startswith("-") else pair, axis))


@node("LatentCut", category="latent/advanced")
def latent_cut(
    samples: Latent,
    dim: Literal["x", "y", "t"],
    index: Annotated[int, Field(ge=-MAX_SIDE, le=MAX_SIDE), Widget(step=1)] = 0,
    amount: Annotated[int, Field(ge=1, le=MAX_SIDE), Widget(step=1)] = 1,
) -> Latent:
    """Cut columns (x), rows (y) or frames (t) out of a latent, from a place in cells on.

    A negative place counts from the end. One outside moves to the first or the last cell.

    Not compared with the reference.
    """
    axis = _axis(samples, dim)
    size = samples.samples.shape[axis]
    first = min(index, size - 1) if index >= 0 else max(0, size + index)
    return replace(samples, samples=samples.samples.narrow(axis, first, min(amount, size - first)).clone())


def _axis(latent: Latent, dim: str) -> int:
    if dim == "t" and latent.samples.ndim < 5:
        raise InputError("The latent has no time axis.", input="dim", got="a picture", expected="a latent of a video")
    return {"x": -1, "y": -2, "t": -3}[dim]


@node("RebatchLatents", category="latent/batch", display_name="Rebatch Latents", input_is_list=True)
def rebatch_latents(latents: list[Latent], batch_size: list[BatchSize] = [1]) -> list[Latent]:  # noqa: B006
    """Cut batches of latents into a list of batches that have at most a number of latents, in order.

    Latents of different size are not mixed, nor those with a noise mask with those without. Each keeps the noise that
    it has in its own batch. Not compared with the reference.
    """
    (size,) = batch_size
    found: list[list[Latent]] = []
    for single in (each for latent in latents for each in _singles(latent)):
        if found and len(found[-1]) < size and _alike(found[-1][0], single):
            found[-1].append(single)
        else:
            found.append([single])
    return [_joined(group) for group in found]


def _singles(latent: Latent) -> list[Latent]:
    count = len(latent.samples)
    places = latent.batch_index or tuple(range(count))
    masks = None if latent.noise_mask is None else resize.cycled(latent.noise_mask, count)
    return [
        replace(
            latent,
            samples=latent.samples[n : n + 1],
            noise_mask=None if masks is None else masks[n : n + 1],
            batch_index=(places[n],),
        )
        for n in range(count)
    ]


def _alike(a: Latent, b: Latent) -> bool:
    masks = [None if each.noise_mask is None else each.noise_mask.shape for each in (a, b)]
    return a.samples.shape == b.samples.shape and masks[0] == masks[1] and a.space == b.space


def _joined(group: list[Latent]) -> Latent:
    masks = [latent.noise_mask for latent in group if latent.noise_mask is not None]
    return replace(
        group[0],
        samples=torch.cat([latent.samples for latent in group]),
        noise_mask=torch.cat(masks) if masks else None,
        batch_index=tuple(place for latent in group for place in latent.batch_index or ()),
    )
