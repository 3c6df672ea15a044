"""What is remembered of one computation: its outputs by digest, its artifacts, what it cost."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import msgpack
from blake3 import blake3

CHECK_BYTES = 8
EMPTY: Mapping[str, Any] = MappingProxyType({})


Ran: TypeAlias = tuple[Mapping[str, Any], float]
"""What went into an earlier run of a node type, in few bytes, and the seconds that it took."""


class Row(NamedTuple):
    """What a key stands for.

    ``outputs`` holds per output slot the digests of its values (a wire is a list of values, usually of one). ``files``
    are the artifacts of an output node and ``note`` small things beside them, as data that msgpack packs; arrays in
    ``files`` come back as tuples. ``asks`` is set on a stage of a lazy node: the names that it asked for next.
    ``cost`` is in seconds.
    """

    outputs: tuple[tuple[bytes, ...], ...] = ()
    files: tuple[Any, ...] = ()
    asks: tuple[str, ...] | None = None
    cost: float = 0.0
    note: Mapping[str, Any] = EMPTY


def row_to_bytes(key: bytes, row: Row) -> bytes:
    """Return the byte form of a row: a checksum over its key and itself, then msgpack."""
    note = _packb(row.note) if row.note else b""
    body = _packb((row.outputs, row.files, row.asks, row.cost, note))
    return blake3(key + body).digest(CHECK_BYTES) + body


def row_from_bytes(key: bytes, data: bytes) -> Row | None:
    """Return the row, or None where its checksum does not fit."""
    check, body = data[:CHECK_BYTES], data[CHECK_BYTES:]
    if blake3(key + body).digest(CHECK_BYTES) != check:
        return None
    outputs, files, asks, cost, note = msgpack.unpackb(
        body, use_list=False, strict_map_key=False, unicode_errors="surrogatepass"
    )
    if not note:
        return Row(outputs, files, asks, cost)
    return Row(outputs, files, asks, cost, msgpack.unpackb(note, strict_map_key=False, unicode_errors="surrogatepass"))


def _packb(data: Any) -> bytes:
    return msgpack.packb(data, unicode_errors="surrogatepass")  # type: ignore[no-any-return]
