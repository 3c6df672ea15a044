"""Pictures made of files: small ones for pages, and masks drawn into an original. Without torch."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from engine.errors import FileError
from server.files.errors import FileTooLarge

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "AVIF")
"""What is read. Pillow would hand others (EPS) to programs outside."""

MOST_PIXELS = 80_000_000
"""Below the number from which Pillow warns of a decompression bomb."""

DAMAGED = (OSError, SyntaxError, ValueError, TypeError, RuntimeError, EOFError)
"""What Pillow's decoders raise on damaged files."""


@contextmanager
def opened(file: Path | IO[bytes], name: str) -> "Iterator[Picture]":
    """Open a picture whose size is bounded.

    Raises:
        FileError: it is no picture or damaged; FileTooLarge: it has too many pixels.
    """
    from PIL import Image  # only who looks at pictures pays for it

    try:
        with Image.open(file, formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                size = f"{picture.width} x {picture.height} pixels"
                raise FileTooLarge(f"The picture {name!r} is too large.", got=size, expected=f"{MOST_PIXELS} pixels")
            yield picture
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise FileTooLarge(f"The picture {name!r} is too large.", expected=f"{MOST_PIXELS} pixels") from None
    except DAMAGED as error:
        raise FileError(
            f"{name!r} is no whole picture: {error}.", got=name, expected=", ".join(FORMATS), hint="Send a picture."
        ) from None


def thumbnail(path: Path, size: int) -> bytes:
    """Return a picture as WEBP whose longer side is at most ``size`` pixels, upright as its EXIF says.

    Raises:
        FileError: it is no picture, damaged or too large.
    """
    from PIL import ImageOps

    with opened(path, path.name) as picture:
        picture.draft("RGB", (size, size))
        upright = ImageOps.exif_transpose(picture.convert("RGBA" if picture.has_transparency_data else "RGB"))
        upright.thumbnail((size, size))
        written = BytesIO()
        upright.save(written, "WEBP", quality=82, method=2)
        return written.getvalue()


def encoded(path: Path, format: Literal["WEBP", "JPEG"], quality: int) -> bytes:
    """Return a picture in a smaller format, with its alpha channel where the format has one.

    Raises:
        FileError: it is no picture, damaged or too large.
    """
    with opened(path, path.name) as picture:
        has_alpha = format == "WEBP" and picture.has_transparency_data
        return _saved(picture.convert("RGBA" if has_alpha else "RGB"), format, quality=quality)


def channel(path: Path, name: Literal["rgb", "a"]) -> bytes:
    """Return the colours of a picture without alpha, or its alpha channel alone (255 where it has none), as PNG.

    Raises:
        FileError: it is no picture, damaged or too large.
    """
    from PIL import Image

    with opened(path, path.name) as picture:
        if name == "rgb":
            return _saved(picture.convert("RGB"), "PNG", compress_level=4)
        alone = Image.new("RGBA", picture.size)
        alone.putalpha(picture.convert("RGBA").getchannel("A"))
        return _saved(alone, "PNG", compress_level=4)


def _saved(picture: "Picture", format: str, **how: int) -> bytes:
    written = BytesIO()
    picture.save(written, format, **how)
    return written.getvalue()


def masked(original: Path, mask: bytes) -> bytes:
    """Return ``original`` as PNG with the alpha channel of the picture in ``mask``; its text chunks are kept.

    Nothing else of what was sent gets into the file.

    Raises:
        FileError: one is no picture, damaged or too large, the mask has no alpha, or another size.
    """
    from PIL.PngImagePlugin import PngInfo

    with opened(original, original.name) as picture, opened(BytesIO(mask), "the mask") as drawn:
        if not drawn.has_transparency_data or drawn.size != picture.size:
            got = f"{drawn.width} x {drawn.height} pixels of {drawn.mode}"
            raise FileError(
                "The mask does not fit the picture.",
                got=got,
                expected=f"{picture.width} x {picture.height} pixels with an alpha channel",
                hint="Draw it on the picture itself.",
            )
        texts = PngInfo()
        for name, text in picture.info.items():
            if isinstance(name, str) and isinstance(text, str) and original.suffix.lower() == ".png":
                texts.add_text(name, text)
        merged = picture.convert("RGB")
        merged.putalpha(drawn.convert("RGBA").getchannel("A"))
        written = BytesIO()
        merged.save(written, "PNG", pnginfo=texts, compress_level=4)
        return written.getvalue()
