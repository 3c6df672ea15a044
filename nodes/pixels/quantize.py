"""Pictures of few colours."""

import numpy
import torch
from PIL import Image
from torch import Tensor

DITHERS = {"none": Image.Dither.NONE, "floyd-steinberg": Image.Dither.FLOYDSTEINBERG}


def quantize(image: Tensor, colors: int, dither: str) -> Tensor:
    """Return pictures (batch, height, width, 3) that have at most ``colors`` colours each, found by median cut.

    ``dither`` is none, floyd-steinberg or bayer-N: a threshold matrix of N x N, N a power of two.
    """
    pixels = (image[..., :3].detach().cpu() * 255).clamp(0, 255).to(torch.uint8).numpy()
    found = [numpy.asarray(_quantized(Image.fromarray(each), colors, dither).convert("RGB")) for each in pixels]
    return torch.from_numpy(numpy.stack(found)).float() / 255


def _quantized(picture: Image.Image, colors: int, dither: str) -> Image.Image:
    palette = picture.quantize(colors)
    used = len(numpy.unique(numpy.asarray(palette)))
    if dither in DITHERS:
        return picture.quantize(colors, palette=palette, dither=DITHERS[dither])
    side = int(dither.removeprefix("bayer-"))
    tiles = -(-picture.height // side), -(-picture.width // side)
    threshold = numpy.tile(bayer(side), tiles)[: picture.height, : picture.width, None]
    spread = 2 * 256 / used
    moved = numpy.asarray(picture, dtype=numpy.float32) + spread * threshold
    moved_picture = Image.fromarray(moved.clip(0, 255).round().astype(numpy.uint8))
    return moved_picture.quantize(colors, palette=palette, dither=Image.Dither.NONE)


def bayer(side: int) -> numpy.ndarray:
    """Return Bayer's threshold matrix (1973) of a side that is a power of two, its values from -0.5 to below 0.5."""
    matrix = numpy.zeros((1, 1))
    while len(matrix) < side:
        matrix = numpy.block([[4 * matrix, 4 * matrix + 2], [4 * matrix + 3, 4 * matrix + 1]])
    return matrix / side**2 - 0.5
