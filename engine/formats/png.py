"""Text chunks of PNG files (PNG specification, third edition, section 11.3.3)."""

import struct
import zlib
from typing import BinaryIO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_TEXT_BYTES = 64 * 2**20
MAX_CHUNKS = 100_000


def png_texts(stream: BinaryIO) -> dict[str, str]:
    """Return keyword -> text of every tEXt, iTXt and zTXt chunk; a damaged file gives what comes before the damage."""
    texts: dict[str, str] = {}
    stream.seek(len(SIGNATURE))
    left = MAX_TEXT_BYTES
    for _ in range(MAX_CHUNKS):
        header = stream.read(8)
        if len(header) < 8:
            break
        length, kind = struct.unpack(">I4s", header)
        if kind not in (b"tEXt", b"iTXt", b"zTXt") or length > left:
            if kind == b"IEND":
                break
            stream.seek(length + 4, 1)
            continue
        body = stream.read(length)
        stream.seek(4, 1)
        found = _text(kind, body, left)
        if found:
            texts.setdefault(*found)
            left -= max(len(found[1]), length)
    return texts


def _text(kind: bytes, body: bytes, limit: int) -> tuple[str, str] | None:
    keyword, mark, rest = body.partition(b"\0")
    if not mark:
        return None
    name = keyword.decode("latin-1")
    if kind == b"tEXt":
        return name, _latin(rest)
    if kind == b"zTXt":
        packed = _inflate(rest[1:], limit)
        return None if packed is None else (name, _latin(packed))
    compressed = rest[:1] == b"\1"
    fields = rest[2:].split(b"\0", 2)
    if len(fields) < 3:
        return None
    raw = _inflate(fields[2], limit) if compressed else fields[2]
    return None if raw is None else (name, raw.decode("utf-8", errors="replace"))


def _latin(raw: bytes) -> str:
    """Return a Latin-1 text; programs that write UTF-8 there all the same are understood."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _inflate(packed: bytes, limit: int) -> bytes | None:
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(packed, limit)
    except zlib.error:
        return None
    return None if inflater.unconsumed_tail else plain
