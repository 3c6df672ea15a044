"""Batches of pictures: take from them, repeat and split them, take them apart, ask how large they are."""

from typing import TYPE_CHECKING, Annotated, NamedTuple

from engine.errors import InputError
from engine.node import Field, Hidden, node
from engine.types import Image, Tensor
from nodes.inputs import BatchSize, Fraction, Seed
from nodes.lazy import lazy

if TYPE_CHECKING:
    import torch

    from nodes.pixels import colours
    from nodes.sampling import noise
else:
    torch = lazy("torch")
    colours = lazy("nodes.pixels.colours")
    noise = lazy("nodes.sampling.noise")


class Size(NamedTuple):
    width: int
    height: int
    batch_size: int


@node("ImageFromBatch", category="image/batch")
def image_from_batch(
    image: Image, batch_index: Annotated[int, Field(ge=0, le=4095)] = 0, length: BatchSize = 1
) -> Image:
    """Take some pictures of a batch from a place on, which counts from 0; beyond the end it is the last picture."""
    first = min(batch_index, len(image) - 1)
    return image[first : first + length].clone()


@node("RepeatImageBatch", category="image/batch")
def repeat_image_batch(image: Image, amount: BatchSize = 1) -> Image:
    """Repeat a batch as a whole."""
    return image.repeat(amount, 1, 1, 1)


@node("RebatchImages", category="image/batch", display_name="Rebatch Images", input_is_list=True)
def rebatch_images(images: list[Image], batch_size: list[BatchSize] = [1]) -> list[Image]:  # noqa: B006
    """Cut batches of pictures into a list of batches that have at most a number of pictures, in order.

    Batches of different size in pixels are not mixed.
    """
    (size,) = batch_size
    found: list[Tensor] = []
    for image in (each for batch in images for each in batch.split(1)):
        if found and len(found[-1]) < size and found[-1].shape[1:] == image.shape[1:]:
            found[-1] = torch.cat([found[-1], image])
        else:
            found.append(image.clone())
    return found


@node("GetImageSize", category="image", display_name="Get Image Size")
def get_image_size(image: Image, unique_id: Annotated[str, Hidden("UNIQUE_ID")] = "") -> Size:
    """Tell the width and height of pictures in pixels, and how many there are."""
    return Size(image.shape[2], image.shape[1], len(image))


@node("ImageAddNoise", category="image")
def image_add_noise(image: Image, seed: Seed = 0, strength: Fraction = 0.5) -> Image:
    """Add Gaussian noise to pictures; strength is its spread. Not compared with the reference."""
    return (image + strength * noise.starting_noise(seed, image.shape)).clamp(0, 1)


class Yuv(NamedTuple):
    Y: Image
    U: Image
    V: Image


@node("ImageRGBToYUV", category="image/batch")
def image_rgb_to_yuv(image: Image) -> Yuv:
    """Take pictures apart into brightness (Y) and colour (U, V), each a grey picture.

    YCbCr of ITU-R BT.601 over the full range, as in kornia. Not compared with the reference.
    """
    return Yuv(*(part.expand(*part.shape[:3], 3).clone() for part in colours.to_yuv(image).chunk(3, dim=-1)))


@node("ImageYUVToRGB", category="image/batch")
def image_yuv_to_rgb(Y: Image, U: Image, V: Image) -> Image:
    """Put brightness (Y) and colour (U, V) together; of pictures with colours each takes the mean.

    Not compared with the reference.
    """
    shapes = {part.shape[:3] for part in (Y, U, V)}
    if len(shapes) > 1:
        raise InputError(
            "The three parts are not of one size.",
            input="U",
            got=", ".join(" x ".join(map(str, shape)) for shape in sorted(shapes)),
            expected="as many pictures of the same height and width",
        )
    return colours.to_rgb(torch.cat([part.mean(dim=-1, keepdim=True) for part in (Y, U, V)], dim=-1))
