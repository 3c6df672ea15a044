"""Invert, crop and blur pictures."""

from typing import TYPE_CHECKING, Annotated

from engine.errors import InputError
from engine.node import Field, Widget, node
from engine.types import Image
from nodes.inputs import Offset, Side
from nodes.lazy import lazy

if TYPE_CHECKING:
    from nodes.pixels import blur
else:
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


@node("ImageBlur", category="image/postprocessing")
def image_blur(
    image: Image,
    blur_radius: Annotated[int, Field(ge=1, le=31), Widget(step=1)] = 1,
    sigma: Annotated[float, Field(ge=0.1, le=10.0), Widget(step=0.1)] = 1.0,
) -> Image:
    """Blur pictures with a Gaussian over a square of 2 * blur_radius + 1 pixels; sigma is in units of the radius."""
    height, width = image.shape[1:3]
    if blur_radius >= min(height, width):
        raise InputError(
            "The picture is too small for this blur.",
            input="blur_radius",
            got=f"a radius of {blur_radius} on {width} x {height} pixels",
            expected="both sides longer than the radius",
            hint=f"Use a radius below {min(height, width)}.",
        )
    return blur.gaussian_blur(image, blur_radius, sigma)
