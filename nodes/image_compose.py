"""Put pictures over, beside and into each other."""

from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from engine.node import Field, OptionalInput, Widget, node
from engine.types import Image, Mask, Tensor
from nodes.inputs import MAX_SIDE, Fraction, Offset
from nodes.lazy import lazy

if TYPE_CHECKING:
    import torch

    from nodes.pixels import blend, channels, outpaint, paste, resize
    from nodes.sampling import regions
else:
    torch = lazy("torch")
    blend = lazy("nodes.pixels.blend")
    channels = lazy("nodes.pixels.channels")
    outpaint = lazy("nodes.pixels.outpaint")
    paste = lazy("nodes.pixels.paste")
    resize = lazy("nodes.pixels.resize")
    regions = lazy("nodes.sampling.regions")

Margin = Annotated[int, Field(ge=0, le=MAX_SIDE), Widget(step=8)]


class Padded(NamedTuple):
    IMAGE: Image
    MASK: Mask


@node("ImagePadForOutpaint", category="image", display_name="Pad Image for Outpainting")
def image_pad_for_outpaint(
    image: Image, left: Margin = 0, top: Margin = 0, right: Margin = 0, bottom: Margin = 0, feathering: Offset = 40
) -> Padded:
    """Put grey around pictures, and give a mask of it that fades out into the picture."""
    height, width = image.shape[1:3]
    margins = left, top, right, bottom
    return Padded(outpaint.padded(image, *margins), outpaint.outside(height, width, *margins, feathering))


@node("ImageCompositeMasked", category="image")
def image_composite_masked(
    destination: Image,
    source: Image,
    x: Offset = 0,
    y: Offset = 0,
    resize_source: bool = False,
    mask: Annotated[Mask | None, OptionalInput()] = None,
) -> Image:
    """Lay pictures over others, their upper left corner at (x, y), where a mask is bright.

    What hangs over the border is cut off. ``resize_source`` brings them to the size of the others first. Where only
    one has an alpha channel the other becomes opaque.
    """
    below, above = (image.movedim(-1, 1) for image in channels.alike(destination, source))
    if resize_source:
        above = resize.resize(above, below.shape[-1], below.shape[-2], "bilinear")
    share = None
    if mask is not None:
        share = regions.resized_mask(mask.reshape(-1, *mask.shape[-2:]), *above.shape[-2:])[:, None]
    return paste.paste(below, above, x, y, share).movedim(1, -1).contiguous()


Spacing = Annotated[int, Field(ge=0, le=1024), Widget(step=2)]
Colour = Literal["white", "black", "red", "green", "blue"]
COLOURS = {"white": (1, 1, 1), "black": (0, 0, 0), "red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}


@node("ImageStitch", category="image/transform", display_name="Image Stitch")
def image_stitch(
    image1: Image,
    direction: Literal["right", "down", "left", "up"] = "right",
    match_image_size: bool = True,
    spacing_width: Spacing = 0,
    spacing_color: Colour = "white",
    image2: Annotated[Image | None, OptionalInput()] = None,
) -> Image:
    """Put a second picture to the right of the first, below, to the left or above, with a bar of a colour between.

    The second one is resized to fit, or black is put around the smaller one. The last picture of a shorter batch is
    used again. Not compared with the reference.
    """
    if image2 is None:
        return image1
    first, second = (image.movedim(-1, 1) for image in channels.alike(image1, image2))
    along = -1 if direction in ("left", "right") else -2
    if match_image_size:
        height, width = second.shape[-2:]
        if along == -1:
            size = max(1, round(width * first.shape[-2] / height)), first.shape[-2]
        else:
            size = first.shape[-1], max(1, round(height * first.shape[-1] / width))
        second = resize.resize(second, *size, "lanczos")
    count = max(len(first), len(second))
    pair = [_last_repeated(each, count) for each in (first, second)]
    pair = [resize.centred(each, max(p.shape[-3 - along] for p in pair), -3 - along) for each in pair]
    if direction in ("left", "up"):
        pair.reverse()
    if spacing_width:
        bar = [pair[0].shape[-2], spacing_width] if along == -1 else [spacing_width, pair[0].shape[-1]]
        colour = torch.tensor([*COLOURS[spacing_color], 1.0][: first.shape[1]])
        pair.insert(1, colour[None, :, None, None].expand(count, -1, *bar))
    return torch.cat(pair, along).movedim(1, -1).contiguous()


def _last_repeated(samples: Tensor, count: int) -> Tensor:
    return torch.cat([samples, samples[-1:].expand(count - len(samples), *samples.shape[1:])])


@node("ImageBlend", category="image/postprocessing", display_name="ImageBlend")
def image_blend(
    image1: Image,
    image2: Image,
    blend_factor: Fraction = 0.5,
    *,
    blend_mode: Literal["normal", "multiply", "screen", "overlay", "soft_light", "difference"],
) -> Image:
    """Mix a picture with what a second one makes of it; the second is resized and cut to the size of the first.

    Not compared with the reference.
    """
    first, second = channels.alike(image1, image2)
    if first.shape[1:3] != second.shape[1:3]:
        fitted = resize.resize(second.movedim(-1, 1), first.shape[2], first.shape[1], "bicubic", "center")
        second = fitted.movedim(1, -1)
    made = blend.BLENDS[blend_mode](first, resize.cycled(second, len(first)))
    return (first * (1 - blend_factor) + made * blend_factor).clamp(0, 1)


@node("JoinImageWithAlpha", category="mask/compositing", display_name="Join Image with Alpha")
def join_image_with_alpha(image: Image, alpha: Mask) -> Image:
    """Make pictures transparent where a mask is bright. The mask is resized; a shorter batch starts again."""
    mask = regions.resized_mask(alpha.reshape(-1, *alpha.shape[-2:]), *image.shape[1:3])
    count = max(len(image), len(mask))
    colours = resize.cycled(image[..., :3], count)
    return torch.cat([colours, 1 - resize.cycled(mask, count)[..., None]], -1)


@node("SplitImageWithAlpha", category="mask/compositing", display_name="Split Image with Alpha")
def split_image_with_alpha(image: Image) -> Padded:
    """Give the colours of pictures, and a mask of where they are transparent: zeros without an alpha channel."""
    alpha = image[..., 3] if image.shape[-1] > 3 else torch.ones(image.shape[:3])
    return Padded(image[..., :3].contiguous(), 1 - alpha)


PorterDuffMode = Literal[
    "ADD", "CLEAR", "DARKEN", "DST", "DST_ATOP", "DST_IN", "DST_OUT", "DST_OVER", "LIGHTEN", "MULTIPLY", "OVERLAY",
    "SCREEN", "SRC", "SRC_ATOP", "SRC_IN", "SRC_OUT", "SRC_OVER", "XOR",
]  # fmt: skip


@node("PorterDuffImageComposite", category="mask/compositing", display_name="Porter-Duff Image Composite")
def porter_duff_image_composite(
    source: Image, source_alpha: Mask, destination: Image, destination_alpha: Mask, mode: PorterDuffMode = "DST"
) -> Padded:
    """Combine pictures by an operator of Porter and Duff; masks are bright where a picture is transparent.

    The source is resized and cut to the size of the destination, each mask to that of its picture. Not compared with
    the reference.
    """
    count = max(map(len, (source, destination)))
    height, width = destination.shape[1:3]
    planes = [source[..., :3].movedim(-1, 1), _shown(source, source_alpha)]
    planes = [resize.fitted(plane, destination[..., 0], "bicubic").clamp(0, 1) for plane in planes]
    planes += [destination[..., :3].movedim(-1, 1), _shown(destination, destination_alpha)]
    laid = [resize.cycled(plane, count).movedim(1, -1) for plane in planes]
    colours, alpha = blend.composed(mode, *laid)
    return Padded(colours.contiguous(), 1 - alpha[..., 0].reshape(count, height, width))


def _shown(image: Tensor, mask: Tensor) -> Tensor:
    """Return the alpha (batch, 1, height, width) of pictures with a mask of where they are transparent."""
    return 1 - regions.resized_mask(mask.reshape(-1, *mask.shape[-2:]), *image.shape[1:3])[:, None]
