"""The key of a call: what its result depends on, as one digest.

key = blake3(type, version, profile, literals, file fingerprints, and per linked input the digests of its values)

Keys hold content digests of what comes in, so the work is linear in the graph, node ids don't matter, and a change that
leads to the same value stops there.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgpack
from blake3 import blake3

from engine.binding import BoundNode
from engine.failures import located
from engine.hooks import call_hook
from engine.schema import FileSource, NodeSpec
from engine.values import pack

SCALARS = frozenset({int, float, str, bool, type(None)})
Digests = tuple[bytes, ...]


class CallInputs(NamedTuple):
    """One call of a node: its key and, per linked input, the digests that it gets."""

    key: bytes
    inputs: Mapping[str, Digests]


class Static(NamedTuple):
    """The part of a node's keys that does not depend on its links. ``unique`` means that no key is like another."""

    data: bytes
    unique: bool = False


def static_part(node: BoundNode, profile: tuple[str, ...], fingerprint: Callable[[FileSource, str], str]) -> Static:
    """Return the part of a node's keys that is known before anything runs.

    Raises:
        LoomisError: a file can't be read, or the node's ``fingerprint`` function failed.
    """
    try:
        return _static_part(node, profile, fingerprint)
    except Exception as error:
        raise located(error, node) from error


def _static_part(node: BoundNode, profile: tuple[str, ...], fingerprint: Callable[[FileSource, str], str]) -> Static:
    spec = node.spec
    head: list[Any] = [spec.type, spec.version, profile if spec.numeric else None]
    for name, value in node.literals.items():
        head += (name, value)
        if name in spec.files:
            head.append(fingerprint(spec.files[name], value))
    if spec.hidden and any(hidden.in_key and hidden.token == "UNIQUE_ID" for hidden in spec.hidden.values()):
        head.append(node.id)
    if spec.lazy is not None:
        head.append(" ".join(sorted(name for name in node.links if spec.ports[name].lazy)))
    unique = not spec.pure
    if spec.fingerprint is not None:
        extra = call_hook(spec.fingerprint, node.literals)
        unique = unique or (isinstance(extra, float) and extra != extra)
        head.append(extra)
    try:
        if SCALARS.issuperset(map(type, head[3:])):
            return Static(msgpack.packb(head), unique)
    except (OverflowError, UnicodeEncodeError):  # an int beyond 64 bits, half a surrogate pair
        pass
    return Static(pack(head).digest, unique)


def calls(
    spec: NodeSpec, static: Static, known: Mapping[str, Digests], files: Mapping[str, Digests]
) -> Sequence[CallInputs]:
    """Spread the values on a node's wires over its calls, as ComfyUI does.

    A wire is a list of values, usually of one. A node that takes lists is called once. Any other is called as often as
    its longest wire has values; shorter ones repeat their last value. A wire without values means no call.

    ``files`` holds, for linked inputs that name files, fingerprints in the order of the values.
    """
    lengths = [len(digests) for digests in known.values()]
    if spec.input_is_list or lengths.count(1) == len(lengths):
        return (CallInputs(_key(static, known, files), known),)
    if 0 in lengths:
        return ()
    result = []
    for index in range(max(lengths)):
        inputs = {name: (digests[min(index, len(digests) - 1)],) for name, digests in known.items()}
        marks = {name: (found[min(index, len(found) - 1)],) for name, found in files.items()}
        result.append(CallInputs(_key(static, inputs, marks), inputs))
    return result


def _key(static: Static, inputs: Mapping[str, Digests], files: Mapping[str, Digests]) -> bytes:
    if static.unique:
        return os.urandom(32)
    parts = [static.data]
    for name, digests in sorted(inputs.items()):
        parts += (_wire_head(name, len(digests)), *digests)
    for name, marks in sorted(files.items()):
        parts += (name.encode(), b"\1", pack(marks).tree)
    return blake3(b"".join(parts)).digest()


@lru_cache(4096)
def _wire_head(name: str, length: int) -> bytes:
    return name.encode() + b"\0" + length.to_bytes(4, "little")
