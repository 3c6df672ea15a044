"""Metadata of MP4 and MOV files (ISO/IEC 14496-12 boxes, QuickTime ``mdta`` keys, iTunes ``ilst``)."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

MAX_BOXES = 20_000
MAX_META_BYTES = 64 * 2**20
FOLDERS = (b"moov", b"udta")


def mp4_texts(stream: BinaryIO) -> dict[str, str]:
    """Return key -> text of the metadata of the whole file; iTunes keys keep their four letters (``\\xa9cmt``)."""
    texts: dict[str, str] = {}
    stream.seek(0, 2)
    pending = [(0, stream.tell())]
    budget = MAX_BOXES
    while pending and budget > 0:
        for kind, start, end in _boxes(stream, *pending.pop(0)):
            budget -= 1
            if kind in FOLDERS:
                pending.append((start, end))
            elif kind == b"meta" and end - start <= MAX_META_BYTES:
                stream.seek(start)
                texts |= _meta(stream.read(end - start))
            if budget <= 0:
                break
    return texts


def _boxes(stream: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of the content of each box between two offsets."""
    while start + 8 <= end:
        stream.seek(start)
        header = stream.read(16)
        if len(header) < 8:
            return
        size, kind = struct.unpack_from(">I4s", header)
        body = start + 8
        if size == 1 and len(header) == 16:
            size, body = struct.unpack_from(">Q", header, 8)[0], start + 16
        stop = end if size == 0 else start + size
        if stop < body or stop > end:
            return
        yield kind, body, stop
        start = stop


def _meta(body: bytes) -> dict[str, str]:
    if body[4:8] != b"hdlr":
        body = body[4:]
    parts = dict(_parts(body))
    keys = _keys(parts.get(b"keys", b""))
    texts = {}
    for kind, item in _parts(parts.get(b"ilst", b"")):
        index = int.from_bytes(kind)
        name = keys[index - 1] if 0 < index <= len(keys) else kind.decode("latin-1")
        data = dict(_parts(item)).get(b"data")
        if data is not None:
            texts[name] = data[8:].decode("utf-8", errors="replace")
    return texts


def _keys(body: bytes) -> list[str]:
    return [name.decode("utf-8", errors="replace") for _, name in _parts(body[8:])]


def _parts(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(body):
        size, kind = struct.unpack_from(">I4s", body, at)
        if size < 8:
            return
        yield kind, body[at + 8 : at + size]
        at += size
