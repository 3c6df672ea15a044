"""Save batches of pictures as animations."""

from typing import TYPE_CHECKING, Annotated, Literal

from engine.node import Artifact, Field, Shown, Widget, node
from engine.types import Image
from nodes.image import check_prefix
from nodes.lazy import lazy

if TYPE_CHECKING:
    from nodes.pixels import animation
else:
    animation = lazy("nodes.pixels.animation")

FramesPerSecond = Annotated[float, Field(ge=0.01, le=1000.0), Widget(step=0.01)]


@node("SaveAnimatedWEBP", category="image/animation", output_node=True, validate={"filename_prefix": check_prefix})
def save_animated_webp(
    images: Image,
    filename_prefix: str = "ComfyUI",
    fps: FramesPerSecond = 6.0,
    lossless: bool = True,
    quality: Annotated[int, Field(ge=0, le=100)] = 80,
    *,
    method: Literal["default", "fastest", "slowest"],
) -> Shown[None]:
    """Save pictures as one animated WEBP file in the output folder, with the workflow inside."""
    check_prefix(filename_prefix)
    data = animation.encode_webp(images, fps, lossless=lossless, quality=quality, effort=EFFORTS[method])
    return _animated(data, images, filename_prefix, ".webp")


EFFORTS = {"default": 4, "fastest": 0, "slowest": 6}
"""How hard to look for a small file, in the words of libwebp."""


@node("SaveAnimatedPNG", category="image/animation", output_node=True, validate={"filename_prefix": check_prefix})
def save_animated_png(
    images: Image,
    filename_prefix: str = "ComfyUI",
    fps: FramesPerSecond = 6.0,
    compress_level: Annotated[int, Field(ge=0, le=9)] = 4,
) -> Shown[None]:
    """Save pictures as one animated PNG file in the output folder, with the workflow inside."""
    check_prefix(filename_prefix)
    return _animated(animation.encode_png(images, fps, compress_level), images, filename_prefix, ".png")


def _animated(data: bytes, images: Image, prefix: str, suffix: str) -> Shown[None]:
    height, width = images.shape[1:3]
    file = Artifact(data, prefix, suffix=suffix, width=width, height=height)
    return Shown(None, (file,), {"animated": [True]})
