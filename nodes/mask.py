"""Make, change and combine masks. Without a batch axis a mask counts as a batch of one."""

from typing import TYPE_CHECKING, Annotated, Literal

from engine.errors import InputError
from engine.node import Field, Widget, node
from engine.types import Image, Mask, Tensor
from nodes.inputs import MAX_SIDE, Fraction, Offset, Side
from nodes.lazy import lazy

if TYPE_CHECKING:
    import torch

    from nodes.pixels import masks
else:
    torch = lazy("torch")
    masks = lazy("nodes.pixels.masks")


def _batch(mask: Tensor) -> Tensor:
    return mask.reshape(-1, *mask.shape[-2:])


@node("SolidMask", category="mask")
def solid_mask(value: Fraction = 1.0, width: Side = 512, height: Side = 512) -> Mask:
    """Make a mask that has one value everywhere."""
    return torch.full((1, height, width), value)


@node("InvertMask", category="mask")
def invert_mask(mask: Mask) -> Mask:
    """Turn every value v into 1 - v."""
    return 1 - mask


@node("GrowMask", category="mask")
def grow_mask(
    mask: Mask,
    expand: Annotated[int, Field(ge=-MAX_SIDE, le=MAX_SIDE), Widget(step=1)] = 0,
    tapered_corners: bool = True,
) -> Mask:
    """Grow the bright parts of a mask by some pixels, or shrink them when the number is negative.

    A pixel grows into a square, with tapered corners into a diamond.
    """
    return masks.grow(_batch(mask), expand, tapered_corners=tapered_corners)


@node("ThresholdMask", category="mask")
def threshold_mask(mask: Mask, value: Fraction = 0.5) -> Mask:
    """Set a mask to 1 where it is above a value, and to 0 elsewhere."""
    return (mask > value).float()


@node("CropMask", category="mask")
def crop_mask(mask: Mask, x: Offset = 0, y: Offset = 0, width: Side = 512, height: Side = 512) -> Mask:
    """Cut out the part of a mask whose upper left corner is (x, y); what would lie outside is left out."""
    rows, columns = mask.shape[-2:]
    if x >= columns or y >= rows:
        raise InputError(
            "The part to cut out lies outside the mask.",
            got=f"the corner ({x}, {y}) in a mask of {columns} x {rows} pixels",
            expected=f"x below {columns} and y below {rows}",
            hint="Move the corner into the mask.",
        )
    return _batch(mask)[:, y : y + height, x : x + width].clone()


@node("MaskToImage", category="mask", display_name="Convert Mask to Image")
def mask_to_image(mask: Mask) -> Image:
    """Turn a mask into a grey picture."""
    return _batch(mask).unsqueeze(-1).repeat(1, 1, 1, 3)


@node("ImageToMask", category="mask", display_name="Convert Image to Mask")
def image_to_mask(image: Image, channel: Literal["red", "green", "blue", "alpha"]) -> Mask:
    """Take one channel of a picture as a mask."""
    index = ("red", "green", "blue", "alpha").index(channel)
    if index >= image.shape[-1]:
        raise InputError(
            f"The picture has no {channel} channel.",
            input="channel",
            got=f"{image.shape[-1]} channels",
            expected="4 channels",
            hint="Choose red, green or blue; LoadImage gives transparency as its MASK output.",
        )
    return image[..., index].clone()


@node("ImageColorToMask", category="mask")
def image_color_to_mask(
    image: Image, color: Annotated[int, Field(ge=0, le=0xFFFFFF), Widget(step=1, display="color")] = 0
) -> Mask:
    """Make a mask of where pictures have exactly one colour in 8 bits, given as 0xRRGGBB."""
    levels = (image[..., :3].clamp(0, 1) * 255).round().int()
    return (levels == levels.new_tensor([color >> 16, color >> 8 & 0xFF, color & 0xFF])).all(-1).float()


@node("FeatherMask", version=2, category="mask")
def feather_mask(mask: Mask, left: Offset = 0, top: Offset = 0, right: Offset = 0, bottom: Offset = 0) -> Mask:
    """Let a mask fade out towards its borders, over a number of pixels at each. Not compared with the reference."""
    rows, columns = mask.shape[-2:]
    down, across = masks.feather(rows, top, bottom), masks.feather(columns, left, right)
    return _batch(mask) * torch.outer(down, across)


@node("MaskComposite", category="mask")
def mask_composite(
    destination: Mask,
    source: Mask,
    x: Offset = 0,
    y: Offset = 0,
    *,
    operation: Literal["multiply", "add", "subtract", "and", "or", "xor"],
) -> Mask:
    """Combine a mask with the part of another whose upper left corner is (x, y); the result lies between 0 and 1.

    What hangs over the border is cut off. A single mask is used for every mask of a batch.
    """
    destination, source = _batch(destination), _batch(source)
    if 1 not in (len(destination), len(source)) and len(destination) != len(source):
        raise InputError(
            "The masks are two batches of different size.",
            input="source",
            got=f"{len(source)} masks onto {len(destination)}",
            expected=f"1 or {len(destination)} masks",
            hint="Use as many masks as the destination has, or one.",
        )
    return masks.composite(destination, source, x, y, operation)
