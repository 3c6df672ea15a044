"""Strings in the EXIF block of WEBP and JPEG files (TIFF 6.0 section 2, RIFF, JPEG APP1)."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

MAX_EXIF_BYTES = 64 * 2**20
MAX_ENTRIES = 1_000
MAX_BLOCKS = 10_000
EXIF_POINTER, USER_COMMENT = 0x8769, 0x9286


def webp_strings(stream: BinaryIO) -> list[str]:
    """Return the EXIF strings of a WEBP file."""
    stream.seek(12)
    for _ in range(MAX_BLOCKS):
        header = stream.read(8)
        if len(header) < 8:
            break
        kind, length = struct.unpack("<4sI", header)
        if kind == b"EXIF" and length <= MAX_EXIF_BYTES:
            return tiff_strings(stream.read(length).removeprefix(b"Exif\0\0"))
        stream.seek(length + length % 2, 1)
    return []


def jpeg_strings(stream: BinaryIO) -> list[str]:
    """Return the EXIF strings of a JPEG file."""
    stream.seek(2)
    for _ in range(MAX_BLOCKS):
        header = stream.read(4)
        if len(header) < 4 or header[0] != 0xFF or header[1] == 0xDA:
            break
        length = max(int.from_bytes(header[2:]) - 2, 0)
        body = stream.read(length)
        if header[1] == 0xE1 and body.startswith(b"Exif\0\0"):
            return tiff_strings(body[6:])
    return []


def tiff_strings(block: bytes) -> list[str]:
    """Return every text of the first directory and of its EXIF directory, in file order."""
    if block[:2] not in (b"II", b"MM") or len(block) < 8:
        return []
    endian = "<" if block[:2] == b"II" else ">"
    texts: list[str] = []
    pending = [struct.unpack_from(endian + "I", block, 4)[0]]
    seen: set[int] = set()
    while pending and len(seen) < 8:
        offset = pending.pop(0)
        if offset in seen:
            continue
        seen.add(offset)
        for tag, kind, raw in _entries(block, offset, endian):
            if tag == EXIF_POINTER and kind == 4 and len(raw) >= 4:
                pending.append(struct.unpack_from(endian + "I", raw)[0])
            elif kind == 2 or tag == USER_COMMENT:
                texts.append(_text(raw, endian, comment=tag == USER_COMMENT))
    return texts


def _entries(block: bytes, offset: int, endian: str) -> Iterator[tuple[int, int, bytes]]:
    if offset + 2 > len(block):
        return
    count = min(struct.unpack_from(endian + "H", block, offset)[0], MAX_ENTRIES)
    for index in range(count):
        at = offset + 2 + 12 * index
        if at + 12 > len(block):
            return
        tag, kind, length = struct.unpack_from(endian + "HHI", block, at)
        size = length * {1: 1, 2: 1, 3: 2, 4: 4, 7: 1}.get(kind, 0)
        start = at + 8 if size <= 4 else struct.unpack_from(endian + "I", block, at + 8)[0]
        yield tag, kind, block[start : start + size]


def _text(raw: bytes, endian: str, *, comment: bool) -> str:
    if comment and raw[:8] == b"UNICODE\0":
        return raw[8:].decode("utf-16-le" if endian == "<" else "utf-16-be", errors="replace")
    body = raw[8:] if comment else raw
    return body.rstrip(b"\0").decode("utf-8", errors="replace")
