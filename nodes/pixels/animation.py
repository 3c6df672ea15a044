"""Write animations: pictures (frames, height, width, channels), 0 to 1."""

from io import BytesIO

from PIL import Image
from torch import Tensor

from nodes.pixels.files import as_bytes


def encode_webp(images: Tensor, fps: float, *, lossless: bool, quality: int, effort: int) -> bytes:
    """Return a WEBP file with an empty EXIF block. Each frame is shown for 1000 / fps ms, rounded down."""
    options = {"lossless": lossless, "quality": quality, "method": effort, "exif": EMPTY_EXIF}
    return _encoded(images, "WEBP", int(1000 / fps), **options)


def encode_png(images: Tensor, fps: float, compress_level: int) -> bytes:
    """Return an animated PNG file without text chunks. Each frame is shown for 1000 / fps ms, rounded down."""
    return _encoded(images, "PNG", int(1000 / fps), compress_level=compress_level)


EMPTY_EXIF = Image.Exif().tobytes()
"""The block makes Pillow write the extended form of a file, which can take a workflow."""


def _encoded(images: Tensor, kind: str, duration: int, **options: object) -> bytes:
    first, *others = (Image.fromarray(as_bytes(image)) for image in images)
    file = BytesIO()
    first.save(file, kind, save_all=True, append_images=others, duration=duration, **options)
    return file.getvalue()
