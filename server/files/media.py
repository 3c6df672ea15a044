"""What a browser may show of a file. Everything else is a download without a type that runs."""

from pathlib import PurePath
from typing import Literal

Kind = Literal["image", "video", "audio", "other"]

SHOWN: dict[str, str] = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif",
    ".avif": "image/avif", ".bmp": "image/bmp",
    ".mp4": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime", ".mkv": "video/x-matroska",
    ".mp3": "audio/mpeg", ".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg", ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
}  # fmt: skip
"""Types that hold no scripts. SVG and HTML do, so they are not among them."""

DOWNLOAD = "application/octet-stream"


def media_type(name: str) -> str:
    """Return the type under which a file is sent."""
    return SHOWN.get(PurePath(name).suffix.lower(), DOWNLOAD)


def kind(name: str) -> Kind:
    """Return what a file is to a person."""
    found = media_type(name).partition("/")[0]
    return found if found in ("image", "video", "audio") else "other"  # type: ignore[return-value]
