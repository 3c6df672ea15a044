"""Invert, crop, turn, pad and blur pictures."""

from typing import TYPE_CHECKING, Annotated, Literal

from engine.errors import InputError
from engine.node import Field, Widget, node
from engine.types import Image, Tensor
from nodes.inputs import Offset, Side
from nodes.lazy import lazy

if TYPE_CHECKING:
    import torch

    from nodes.pixels import blur, resize
else:
    torch = lazy("torch")
    resize = lazy("nodes.pixels.resize")
    blur = lazy("nodes.pixels.blur")


@node("ImageInvert", category="image", display_name="Invert Image")
def image_invert(image: Image) -> Image:
    """Turn every value v into 1 - v, an alpha channel too."""
    return 1 - image


@node("ImageCrop", category="image/transform", display_name="Image Crop")
def image_crop(image: Image, width: Side = 512, height: Side = 512, x: Offset = 0, y: Offset = 0) -> Image:
    """Cut out the part whose upper left corner is (x, y).

    What would lie outside is left out; a corner outside moves to the last row or column.
    """
    x, y = min(x, image.shape[2] - 1), min(y, image.shape[1] - 1)
    return image[:, y : y + height, x : x + width].clone()


@node("ImageFlip", category="image/transform")
def image_flip(image: Image, *, flip_method: Literal["x-axis: vertically", "y-axis: horizontally"]) -> Image:
    """Mirror pictures."""
    return image.flip(1 if flip_method.startswith("x") else 2)


@node("ImageRotate", category="image/transform")
def image_rotate(image: Image, *, rotation: Literal["none", "90 degrees", "180 degrees", "270 degrees"]) -> Image:
    """Turn pictures clockwise."""
    turns = ("none", "90 degrees", "180 degrees", "270 degrees").index(rotation)
    return torch.rot90(image, turns, (2, 1)).contiguous()


@node("ResizeAndPadImage", category="image/transform")
def resize_and_pad_image(
    image: Image,
    target_width: Side = 512,
    target_height: Side = 512,
    *,
    padding_color: Literal["white", "black"],
    interpolation: Literal["area", "bicubic", "nearest-exact", "bilinear", "lanczos"],
) -> Image:
    """Resize pictures into a frame without changing their proportions; the rest of the frame has one colour.

    Not compared with the reference.
    """
    height, width = image.shape[1:3]
    factor = min(target_width / width, target_height / height)
    size = max(1, int(width * factor)), max(1, int(height * factor))
    resized = resize.resize(image.movedim(-1, 1), *size, interpolation).movedim(1, -1)
    frame = image.new_full((len(image), target_height, target_width, image.shape[-1]), float(padding_color == "white"))
    x, y = (target_width - size[0]) // 2, (target_height - size[1]) // 2
    frame[:, y : y + size[1], x : x + size[0]] = resized
    return frame


BlurRadius = Annotated[int, Field(ge=1, le=31), Widget(step=1)]


@node("ImageBlur", category="image/postprocessing")
def image_blur(
    image: Image,
    blur_radius: BlurRadius = 1,
    sigma: Annotated[float, Field(ge=0.1, le=10.0), Widget(step=0.1)] = 1.0,
) -> Image:
    """Blur pictures with a Gaussian over a square of 2 * blur_radius + 1 pixels; sigma is in units of the radius."""
    check_radius(image, blur_radius, "blur_radius")
    return blur.gaussian_blur(image, blur_radius, sigma)


def check_radius(image: Tensor, radius: int, name: str) -> None:
    """Raise InputError where pictures have a side that is not longer than a radius; ``name`` is the input's."""
    height, width = image.shape[1:3]
    if radius >= min(height, width):
        raise InputError(
            "The picture is too small for this blur.",
            input=name,
            got=f"a radius of {radius} on {width} x {height} pixels",
            expected="both sides longer than the radius",
            hint=f"Use a radius below {min(height, width)}.",
        )
