"""Tags of WEBM and Matroska files (RFC 8794 EBML, RFC 9559 Matroska)."""

from typing import BinaryIO

SIGNATURE = b"\x1a\x45\xdf\xa3"
SEGMENT, TAGS, TAG, SIMPLE_TAG, TAG_NAME, TAG_STRING = 0x18538067, 0x1254C367, 0x7373, 0x67C8, 0x45A3, 0x4487
FOLDERS = (SEGMENT, TAGS, TAG)
MAX_ELEMENTS = 200_000
MAX_TEXT_BYTES = 64 * 2**20


def webm_texts(stream: BinaryIO) -> dict[str, str]:
    """Return lower-cased tag name -> text."""
    stream.seek(0, 2)
    length = stream.tell()
    texts: dict[str, str] = {}
    name, left, at = "", MAX_TEXT_BYTES, 0
    for _ in range(MAX_ELEMENTS):
        element = _element(stream, at, length)
        if element is None:
            break
        kind, start, end = element
        if kind in FOLDERS or kind == SIMPLE_TAG:
            at = start
            continue
        at = end
        if kind not in (TAG_NAME, TAG_STRING) or end - start > left:
            continue
        stream.seek(start)
        text = stream.read(end - start).rstrip(b"\0").decode("utf-8", errors="replace")
        left -= end - start
        if kind == TAG_NAME:
            name = text.lower()
        else:
            texts.setdefault(name, text)
    return texts


def _element(stream: BinaryIO, at: int, length: int) -> tuple[int, int, int] | None:
    """Return id, start and end of the element at an offset; an element of unknown size reaches to the end."""
    if at >= length:
        return None
    stream.seek(at)
    head = stream.read(12)
    id_width = 9 - head[0].bit_length()
    if id_width > 4 or len(head) < id_width + 1:
        return None
    size_head = head[id_width]
    size_width = 9 - size_head.bit_length()
    if size_width > 8 or len(head) < id_width + size_width:
        return None
    raw = int.from_bytes(head[id_width : id_width + size_width])
    size = raw & ((1 << (7 * size_width)) - 1)
    start = at + id_width + size_width
    unknown = size == (1 << (7 * size_width)) - 1
    return int.from_bytes(head[:id_width]), start, length if unknown else min(start + size, length)
