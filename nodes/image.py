"""Load, save, make and resize pictures."""

from math import sqrt
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from engine.context import Context
from engine.errors import FileError
from engine.folders import LONGEST_PREFIX, confined
from engine.node import Artifact, Field, InputFile, Shown, Widget, node
from engine.types import Image, Mask, Tensor
from nodes.inputs import MAX_SIDE, BatchSize, Crop, ImageMethod, ScaleFactor, Side
from nodes.lazy import lazy

if TYPE_CHECKING:
    import torch

    from nodes.pixels import channels, files, resize
else:
    torch = lazy("torch")
    channels = lazy("nodes.pixels.channels")
    files = lazy("nodes.pixels.files")
    resize = lazy("nodes.pixels.resize")

Length = Annotated[int, Field(ge=0, le=MAX_SIDE), Widget(step=1)]
"""A side where 0 means: as the other side and the proportions ask."""


class LoadedImage(NamedTuple):
    IMAGE: Image
    MASK: Mask


@node("LoadImage", category="image", display_name="Load Image")
def load_image(ctx: Context, image: Annotated[str, InputFile(), Widget(image_upload=True)]) -> LoadedImage:
    """Load a picture from the input folder, and a mask of where it is transparent.

    An animation becomes a batch. Without transparency the mask is zeros of 64 x 64.
    """
    path = ctx.folders.input_file(image)
    if path is None:
        raise FileError(
            f"The picture {image!r} is not there.",
            input="image",
            got=image,
            expected=f"a file in {ctx.folders.input}",
            hint="Put it there, or choose another.",
        )
    return LoadedImage(*files.read_image(path))


OUTPUTS = Widget(
    image_upload=True,
    image_folder="output",
    remote={"route": "/internal/files/output", "refresh_button": True, "control_after_refresh": "first"},
)
"""An editor asks the server for the files of the output folder."""


@node("LoadImageOutput", category="image", display_name="Load Image (from Outputs)", experimental=True)
def load_image_output(ctx: Context, image: Annotated[str, InputFile(), OUTPUTS]) -> LoadedImage:
    """Load a picture from the output folder, and a mask of where it is transparent. Its name ends in `` [output]``."""
    return load_image(ctx, image)


def check_prefix(prefix: str) -> None:
    """Raise FileError for a file name prefix that leads out of its folder or is too long."""
    confined(prefix, LONGEST_PREFIX)


@node(
    "SaveImage",
    category="image",
    display_name="Save Image",
    output_node=True,
    validate={"filename_prefix": check_prefix},
)
def save_image(
    images: Image,
    filename_prefix: Annotated[
        str,
        Widget(tooltip="How file names begin. Folders, %date:yyyy-MM-dd%, %width% and %height% may be part of it."),
    ] = "ComfyUI",
) -> Shown[None]:
    """Save pictures as PNG files in the output folder, with the workflow inside."""
    check_prefix(filename_prefix)
    return Shown(None, tuple(_png(image, filename_prefix, "output") for image in images))


@node("PreviewImage", category="image", display_name="Preview Image", output_node=True)
def preview_image(images: Image) -> Shown[None]:
    """Show pictures without keeping them: the files go to the temporary folder."""
    return Shown(None, tuple(_png(image, "preview", "temp") for image in images))


@node("SaveImageWebsocket", version=2, category="api/image", output_node=True)
def save_image_websocket(images: Image) -> Shown[None]:
    """Send pictures as PNG over ComfyUI's WebSocket to the client that asked for them.

    They go to the temporary folder, too: there others find them, and a client that comes back.
    """
    return Shown(None, tuple(_png(image, "websocket", "temp") for image in images))


def _png(image: Tensor, prefix: str, folder: Literal["output", "temp"]) -> Artifact:
    height, width = image.shape[:2]
    return Artifact(files.encode_png(image), prefix, folder=folder, width=width, height=height)


@node("EmptyImage", category="image")
def empty_image(
    width: Side = 512,
    height: Side = 512,
    batch_size: BatchSize = 1,
    color: Annotated[int, Field(ge=0, le=0xFFFFFF), Widget(step=1, display="color")] = 0,
) -> Image:
    """Make pictures of one colour, given as 0xRRGGBB."""
    parts = torch.tensor([color >> 16, color >> 8 & 0xFF, color & 0xFF], dtype=torch.float32) / 255
    return parts.repeat(batch_size, height, width, 1)


@node("ImageBatch", category="image", display_name="Batch Images")
def image_batch(image1: Image, image2: Image) -> Image:
    """Put two batches of pictures into one; the second is resized and cut to the size of the first.

    Where only one has an alpha channel the other becomes opaque.
    """
    first, second = channels.alike(image1, image2)
    if first.shape[1:3] != second.shape[1:3]:
        second = _resized(second, first.shape[2], first.shape[1], "bilinear", "center")
    return torch.cat([first, second])


def _resized(image: Tensor, width: int, height: int, method: str, crop: str = "disabled") -> Tensor:
    return resize.resize(image.movedim(-1, 1), width, height, method, crop).movedim(1, -1).contiguous()


def _scaled(image: Tensor, factor: float, method: str) -> Tensor:
    height, width = image.shape[1:3]
    return _resized(image, max(1, round(width * factor)), max(1, round(height * factor)), method)


@node("ImageScale", category="image/upscaling", display_name="Upscale Image")
def image_scale(
    image: Image, *, upscale_method: ImageMethod, width: Length = 512, height: Length = 512, crop: Crop
) -> Image:
    """Resize pictures to a size in pixels; a side of 0 keeps the proportions, two leave the picture as it is."""
    old_height, old_width = image.shape[1:3]
    if width == 0 and height == 0:
        return image
    width = width or max(1, round(old_width * height / old_height))
    height = height or max(1, round(old_height * width / old_width))
    return _resized(image, width, height, upscale_method, crop)


@node("ImageScaleBy", category="image/upscaling", display_name="Upscale Image By")
def image_scale_by(image: Image, *, upscale_method: ImageMethod, scale_by: ScaleFactor = 1.0) -> Image:
    """Resize pictures by a factor."""
    return _scaled(image, scale_by, upscale_method)


@node("ImageScaleToTotalPixels", category="image/upscaling")
def image_scale_to_total_pixels(
    image: Image,
    *,
    upscale_method: ImageMethod,
    megapixels: Annotated[float, Field(ge=0.01, le=16.0), Widget(step=0.01)] = 1.0,
) -> Image:
    """Resize pictures to a number of pixels and keep the proportions; a megapixel is 1024 x 1024."""
    height, width = image.shape[1:3]
    factor = sqrt(int(megapixels * 1024 * 1024) / (width * height))
    return _scaled(image, factor, upscale_method)


@node("ImageScaleToMaxDimension", category="image/upscaling")
def image_scale_to_max_dimension(
    image: Image,
    *,
    upscale_method: Literal["area", "lanczos", "bilinear", "nearest-exact", "bicubic"],
    largest_size: Annotated[int, Field(ge=0, le=MAX_SIDE), Widget(step=1)] = 512,
) -> Image:
    """Resize pictures so that their longer side has so many pixels, and keep the proportions.

    0 leaves them as they are. Not compared with the reference.
    """
    return _scaled(image, largest_size / max(image.shape[1:3]), upscale_method) if largest_size else image
