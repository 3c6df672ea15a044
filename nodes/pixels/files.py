"""Read and write picture files."""

import re
import struct
from io import BytesIO
from pathlib import Path

import numpy
import torch
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError
from torch import Tensor

from engine.errors import FileError
from nodes.inputs import MAX_SIDE

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "AVIF")
"""What is read. Pillow would hand others (EPS) to programs outside."""

MAX_PIXELS = 80_000_000
"""Pixels of one picture; below the number from which Pillow warns of a decompression bomb."""

MAX_FRAME_PIXELS = 250_000_000
"""Pixels of all frames of an animation together: 3 GB once they are float32."""

DAMAGED = (OSError, SyntaxError, ValueError, TypeError, RuntimeError, struct.error)
"""What Pillow's decoders raise on damaged files."""


def read_image(path: Path) -> tuple[Tensor, Tensor]:
    """Read a picture, turned upright as its EXIF says.

    Returns pictures float32 (frames, height, width, 3) and masks (frames, height, width) that are 1 where the picture
    is transparent; without an alpha channel the masks are zeros (frames, 64, 64). Frames of another size than the
    first are left out. 16-bit greys keep their precision.

    Raises:
        FileError: it is no picture, is damaged, or too large.
    """
    try:
        with Image.open(path, formats=FORMATS) as file:
            frames = 1 if file.format == "MPO" else getattr(file, "n_frames", 1)
            _check_size(path.name, *file.size, frames)
            pairs = [_frame(frame) for _, frame in zip(range(frames), ImageSequence.Iterator(file), strict=False)]
    except UnidentifiedImageError:
        raise FileError(
            f"{path.name!r} is not a picture.",
            got=f"{path.stat().st_size} bytes that begin with {_beginning(path)!r}",
            expected=", ".join(FORMATS),
            hint="Choose a picture, or save it again as PNG.",
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        found = re.search(r"\d+", str(error))
        raise _too_large(path.name, f"{found[0] if found else 'too many'} pixels") from None
    except DAMAGED as error:
        raise FileError(
            f"The picture {path.name!r} is damaged: {error}.",
            got=f"{path.stat().st_size} bytes",
            expected="a whole picture file",
            hint="Copy or save it again; it may have been cut off on the way.",
        ) from error
    return _stack(pairs)


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)


def _check_size(name: str, width: int, height: int, frames: int) -> None:
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise _too_large(name, f"{width} x {height} pixels")
    if width * height * frames > MAX_FRAME_PIXELS:
        raise FileError(
            f"The animation {name!r} is too large: {frames} frames of {width} x {height} pixels,"
            f" and {MAX_FRAME_PIXELS:,} pixels are the limit for all frames.",
            got=f"{frames} frames of {width} x {height} pixels",
            expected=f"at most {MAX_FRAME_PIXELS:,} pixels in all frames",
            hint="Make it smaller or shorter first.",
        )


def _too_large(name: str, size: str) -> FileError:
    limit = f"{MAX_SIDE} pixels a side and {MAX_PIXELS:,} in all"
    return FileError(
        f"The picture {name!r} is too large: it has {size}, and the limit is {limit}.",
        got=size,
        expected=f"at most {limit}",
        hint="Make it smaller first.",
    )


def _frame(frame: Image.Image) -> tuple[Tensor, Tensor | None]:
    """Return a frame's colours (height, width, 3), and its mask where it has an alpha channel."""
    frame = ImageOps.exif_transpose(frame)
    if frame.mode.startswith("I"):
        grey = torch.from_numpy(numpy.asarray(frame).astype(numpy.float32) / 65535).clamp(0, 1)
        return grey.unsqueeze(-1).repeat(1, 1, 3), None
    alpha = None
    if "A" in frame.getbands():
        alpha = frame.getchannel("A")
    elif frame.mode == "P" and "transparency" in frame.info:
        alpha = frame.convert("RGBA").getchannel("A")
    return _unit(frame.convert("RGB")), None if alpha is None else 1 - _unit(alpha)


def _unit(picture: Image.Image) -> Tensor:
    return torch.from_numpy(numpy.asarray(picture).astype(numpy.float32) / 255)


def _stack(pairs: list[tuple[Tensor, Tensor | None]]) -> tuple[Tensor, Tensor]:
    size = pairs[0][0].shape
    same = [(colours, mask) for colours, mask in pairs if colours.shape == size]
    image = torch.stack([colours for colours, _ in same])
    if all(mask is None for _, mask in same):
        return image, torch.zeros(len(same), 64, 64)
    return image, torch.stack([torch.zeros(size[:2]) if mask is None else mask for _, mask in same])


def encode_png(image: Tensor) -> bytes:
    """Return (height, width, channels) with 1, 3 or 4 channels as an 8-bit PNG file without text chunks."""
    pixels = as_bytes(image)
    file = BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, "PNG", compress_level=4)
    return file.getvalue()


def as_bytes(image: Tensor) -> numpy.ndarray:
    """Return a picture in 8 bits: cut to 0 to 1, multiplied by 255 and truncated, not rounded."""
    return (image.detach().cpu() * 255).clamp(0, 255).to(torch.uint8).numpy()
