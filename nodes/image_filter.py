"""Filters: sharpen, find edges, grow and shrink what is bright, use few colours."""

from typing import TYPE_CHECKING, Annotated, Literal

from engine.node import Field, Widget, node
from engine.types import Image
from nodes.image_adjust import BlurRadius, check_radius
from nodes.lazy import lazy

if TYPE_CHECKING:
    from nodes.pixels import blur, edges, quantize
else:
    blur = lazy("nodes.pixels.blur")
    edges = lazy("nodes.pixels.edges")
    quantize = lazy("nodes.pixels.quantize")

SHARPENING = 10
"""How often the difference from a blurred picture is added for an alpha of 1."""

Threshold = Annotated[float, Field(ge=0.01, le=0.99), Widget(step=0.01)]


@node("ImageSharpen", category="image/postprocessing")
def image_sharpen(
    image: Image,
    sharpen_radius: BlurRadius = 1,
    sigma: Annotated[float, Field(ge=0.1, le=10.0), Widget(step=0.01)] = 1.0,
    alpha: Annotated[float, Field(ge=0.0, le=5.0), Widget(step=0.01)] = 1.0,
) -> Image:
    """Add the difference between a picture and a blurred one to it, ten times at alpha 1.

    Not compared with the reference.
    """
    if not alpha:
        return image
    check_radius(image, sharpen_radius, "sharpen_radius")
    fine = image - blur.gaussian_blur(image, sharpen_radius, sigma)
    return (image + SHARPENING * alpha * fine).clamp(0, 1)


@node("Canny", category="image/preprocessors")
def canny(image: Image, low_threshold: Threshold = 0.4, high_threshold: Threshold = 0.8) -> Image:
    """Draw edges white on black: those above the high threshold, and those above the low one that go on from them.

    Canny (1986), as in kornia. Not compared with the reference.
    """
    return edges.canny(image, *sorted((low_threshold, high_threshold)))


@node("Morphology", category="image/postprocessing", display_name="ImageMorphology")
def morphology(
    image: Image,
    *,
    operation: Literal["erode", "dilate", "open", "close", "gradient", "bottom_hat", "top_hat"],
    kernel_size: Annotated[int, Field(ge=3, le=999), Widget(step=1)] = 3,
) -> Image:
    """Shrink what is bright (erode), grow it (dilate), or combine both, over squares of pixels.

    Not compared with the reference.
    """
    return edges.morphology(image, operation, kernel_size)


@node("ImageQuantize", category="image/postprocessing")
def image_quantize(
    image: Image,
    colors: Annotated[int, Field(ge=1, le=256), Widget(step=1)] = 256,
    *,
    dither: Literal["none", "floyd-steinberg", "bayer-2", "bayer-4", "bayer-8", "bayer-16"],
) -> Image:
    """Use a number of colours only, with or without dithering between them. Not compared with the reference."""
    return quantize.quantize(image, colors, dither)
