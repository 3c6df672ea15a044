"""Values on a wire: their byte form and their digest.

A value is packed into a *tree* (msgpack: numbers, text, containers, names of wire classes) and *buffers* (the elements
of tensors and arrays, in the order in which the tree names them). Its digest is blake3 of the tree and every buffer::

    packed = pack(Latent(samples))
    packed.digest                            # 32 bytes
    unpack(from_bytes(to_bytes(packed)))     # an equal Latent, tensors on the CPU

Without buffers the byte form is ``LMV1`` and the tree. With buffers it is a valid safetensors file: the tree in base64
under ``tree`` in its metadata, the buffers named "0", "1", ... one after the other. So a digest can be checked without
torch and without decoding. Nothing is ever pickled, and nothing is imported by a name found in stored bytes.

Containers are msgpack arrays that begin with a tag: list ``[0, *items]``, tuple ``[1, *items]``, dict
``[2, key, value, ...]`` in the order of the packed keys, wire class ``[3, name, field, value, ...]``, buffer
``[4, type, dtype, shape, index]``, an int beyond 64 bits ``[5, bytes]``. Types are told apart, so True, 1 and 1.0 have
different digests. NaN has one pattern as a number; the elements of tensors are kept bit by bit.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass
from importlib import import_module
from json import dumps, loads
from struct import pack as pack_number
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import msgpack
from blake3 import blake3

from engine.errors import DefinitionError, LoomisError, StoreError

MAX_DEPTH = 200
MAGIC = b"LMV1"
NAN = float("nan")
LIST, TUPLE, DICT, WIRE, BUFFER, BIG_INT = range(6)

SAFETENSORS_DTYPES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "uint16": "U16", "int16": "I16", "uint32": "U32", "int32": "I32",
    "uint64": "U64", "int64": "I64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
    "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2",
}  # fmt: skip

T = TypeVar("T")
Tree: TypeAlias = Any
"""What msgpack packs: None, bool, int, float, str, bytes and lists of these."""


class NoByteForm(LoomisError):
    """The value, or something inside it, can't be turned into bytes."""

    code = "no_byte_form"


class MalformedValue(StoreError, ValueError):
    """Bytes that are not the byte form of a value."""

    code = "malformed_value"


@dataclass(frozen=True, slots=True)
class BufferSpec:
    """The elements of one tensor: ``dtype`` is a name that numpy and torch share, such as ``float32``."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(slots=True, eq=False)
class Packed:
    """The byte form of a value, before it is laid out as a file. ``buffers`` may share memory with the value."""

    tree: bytes
    buffers: tuple[memoryview, ...] = ()
    specs: tuple[BufferSpec, ...] = ()
    beside: int = 0
    """Bytes in memory that the packed value keeps alive besides the buffers, such as what it is a view of."""
    _digest: bytes | None = field(default=None, repr=False)

    @property
    def digest(self) -> bytes:
        """Blake3 of the tree and then every buffer, 32 bytes."""
        if self._digest is None:
            hasher = blake3(self.tree)
            for buffer in self.buffers:
                hasher.update(buffer)
            self._digest = hasher.digest()
        return self._digest

    @property
    def nbytes(self) -> int:
        """Bytes of the tree and the buffers."""
        return len(self.tree) + (sum(buffer.nbytes for buffer in self.buffers) if self.buffers else 0)

    def copied(self) -> "Packed":
        """Return the byte form with buffers of its own, and with nothing kept besides."""
        buffers = tuple(memoryview(bytearray(each)) for each in self.buffers)
        return Packed(self.tree, buffers, self.specs, 0, self._digest)


@dataclass(frozen=True, slots=True, eq=False)
class Opaque:
    """A value of foreign code that has no byte form. It stays in memory and stands for itself by ``identity``."""

    value: Any
    identity: bytes


def opaque_identity(producer: bytes, slot: int, place: int, *, pure: bool) -> bytes:
    """Return 32 bytes that stand for a value without a byte form.

    The same for the same key, slot and place on its wire of a pure producer, else unique to the run.
    """
    return blake3(producer + pack_number("<II", slot, place)).digest() if pure else os.urandom(32)


# --- wire classes ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WireClass:
    name: str
    cls: type
    fields: tuple[str, ...]


_wires: dict[str, WireClass] = {}


def wire(name: str) -> Callable[[type[T]], type[T]]:
    """Register a frozen dataclass as a value that can travel on a wire.

    ``name`` is what stored bytes know it by: it must stay the same when the class is renamed or moved.
    """

    def register(cls: type[T]) -> type[T]:
        if not is_dataclass(cls) or not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]
            raise DefinitionError(
                f"{cls.__qualname__} is not a frozen dataclass", hint="Put @dataclass(frozen=True) under @wire."
            )
        if name in _wires:
            raise DefinitionError(
                f"two classes want the wire name {name!r}",
                got=f"{cls.__module__}.{cls.__qualname__}",
                expected=f"only {_wires[name].cls.__module__}.{_wires[name].cls.__qualname__}",
                hint="Choose another name for one of them.",
            )
        known = WireClass(name, cls, tuple(item.name for item in fields(cls) if item.init))
        _wires[name] = known
        _encoders[cls] = lambda value, depth, buffers: _encode_wire(known, value, depth, buffers)
        return cls

    return register


def wire_name(cls: object) -> str | None:
    """Return the name that a class was registered under with ``wire``, or None."""
    return next((known.name for known in _wires.values() if known.cls is cls), None)


# --- codecs of tensors and arrays ------------------------------------------------------------------------------------


class Codec(Protocol):
    """A module that turns one type into elements and back."""

    def encode(self, value: Any) -> tuple[str, tuple[int, ...], memoryview]:
        """Return dtype name, shape and contiguous little-endian elements as bytes. Raise NoByteForm where it can't."""

    def beside(self, value: Any, elements: memoryview) -> int:
        """Return how many bytes of memory the value keeps alive besides ``elements``, which ``encode`` gave."""

    def decode(self, dtype: str, shape: tuple[int, ...], buffer: memoryview) -> Any:
        """Return the value; it shares a buffer that is writable and aligned, else copies."""


_codec_modules: dict[str, str] = {}


def register_codec(qualified_name: str, module_name: str) -> None:
    """Say which module encodes the type ``qualified_name``. It is imported when such a value is first met."""
    _codec_modules[qualified_name] = module_name


def _codec(qualified_name: str) -> Codec:
    return cast(Codec, import_module(_codec_modules[qualified_name]))


register_codec("numpy.ndarray", "engine.arrays")

# --- packing ---------------------------------------------------------------------------------------------------------

Buffers: TypeAlias = list[tuple[BufferSpec, memoryview, int]]
Encoder: TypeAlias = Callable[[Any, int, Buffers], Tree]


def pack(value: Any) -> Packed:
    """Return the byte form of a value. Raises NoByteForm where something in it has none, or it nests too deep."""
    buffers: Buffers = []
    tree = _packb(_encode(value, 0, buffers))
    if not buffers:
        return Packed(tree)
    specs, elements, beside = zip(*buffers, strict=True)
    return Packed(tree, elements, specs, sum(beside))


def _packb(tree: Tree) -> bytes:
    return msgpack.packb(tree, unicode_errors="surrogatepass")  # type: ignore[no-any-return]


def _encode(value: Any, depth: int, buffers: Buffers) -> Tree:
    encoder = _encoders.get(type(value)) or _codec_encoder(type(value))
    if depth > MAX_DEPTH:
        raise NoByteForm(f"a value nests deeper than {MAX_DEPTH} levels", hint="Make it flatter.")
    return encoder(value, depth, buffers)


def _encode_list(value: list[Any], depth: int, buffers: Buffers) -> Tree:
    return [LIST, *[_encode(item, depth + 1, buffers) for item in value]]


def _encode_tuple(value: tuple[Any, ...], depth: int, buffers: Buffers) -> Tree:
    return [TUPLE, *[_encode(item, depth + 1, buffers) for item in value]]


def _encode_dict(value: dict[Any, Any], depth: int, buffers: Buffers) -> Tree:
    key_buffers: Buffers = []
    keyed = [(_encode(key, depth + 1, key_buffers), item) for key, item in value.items()]
    if key_buffers:
        raise NoByteForm("a tensor can't be the key of a dict")
    tree = [DICT]
    for key, item in sorted(keyed, key=lambda pair: _packb(pair[0])):
        tree += [key, _encode(item, depth + 1, buffers)]
    return tree


def _encode_wire(known: WireClass, value: Any, depth: int, buffers: Buffers) -> Tree:
    tree: list[Tree] = [WIRE, known.name]
    for name in known.fields:
        tree += [name, _encode(getattr(value, name), depth + 1, buffers)]
    return tree


def _encode_int(value: int, depth: int, buffers: Buffers) -> Tree:
    if -(2**63) <= value < 2**64:
        return value
    return [BIG_INT, value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)]


def _encode_as_it_is(value: Any, depth: int, buffers: Buffers) -> Tree:
    return value


_encoders: dict[type, Encoder] = {
    type(None): _encode_as_it_is,
    bool: _encode_as_it_is,
    str: _encode_as_it_is,
    bytes: _encode_as_it_is,
    int: _encode_int,
    float: lambda value, depth, buffers: value if value == value else NAN,
    list: _encode_list,
    tuple: _encode_tuple,
    dict: _encode_dict,
}


def _codec_encoder(cls: type) -> Encoder:
    qualified_name = f"{cls.__module__}.{cls.__qualname__}"
    if qualified_name not in _codec_modules:
        raise NoByteForm(
            f"a {qualified_name} has no byte form",
            got=qualified_name,
            expected="plain data, arrays, tensors and registered wire classes of these",
        )
    codec = _codec(qualified_name)

    def encode(value: Any, depth: int, buffers: Buffers) -> Tree:
        dtype, shape, data = codec.encode(value)
        buffers.append((BufferSpec(dtype, shape), data, codec.beside(value, data)))
        return [BUFFER, qualified_name, dtype, list(shape), len(buffers) - 1]

    _encoders[cls] = encode
    return encode


# --- unpacking -------------------------------------------------------------------------------------------------------


def unpack(packed: Packed) -> Any:
    """Return the value. Raises MalformedValue where the tree makes no sense or names a class that is not registered."""
    try:
        tree = msgpack.unpackb(packed.tree, unicode_errors="surrogatepass")
        return _decode(tree, 0, packed.buffers)
    except MalformedValue:
        raise
    except Exception as error:  # a constructor of a wire class or a codec may raise anything
        raise MalformedValue(f"stored bytes are not a value: {error}") from error


def _decode(tree: Tree, depth: int, buffers: tuple[memoryview, ...]) -> Any:
    if depth > MAX_DEPTH:
        raise MalformedValue(f"stored bytes nest deeper than {MAX_DEPTH} levels")
    return _decoders[tree[0]](tree, depth, buffers) if type(tree) is list else tree


def _decode_items(tree: Tree, depth: int, buffers: tuple[memoryview, ...]) -> list[Any]:
    return [_decode(item, depth + 1, buffers) for item in tree[1:]]


def _decode_dict(tree: Tree, depth: int, buffers: tuple[memoryview, ...]) -> dict[Any, Any]:
    items = _decode_items(tree, depth, buffers)
    return dict(zip(items[::2], items[1::2], strict=True))


def _decode_wire(tree: Tree, depth: int, buffers: tuple[memoryview, ...]) -> Any:
    known = _wires[tree[1]]
    if tuple(tree[2::2]) != known.fields:
        raise MalformedValue(f"stored {known.name} has other fields", got=tree[2::2], expected=known.fields)
    return known.cls(*[_decode(item, depth + 1, buffers) for item in tree[3::2]])


def _decode_buffer(tree: Tree, depth: int, buffers: tuple[memoryview, ...]) -> Any:
    _, qualified_name, dtype, shape, index = tree
    return _codec(qualified_name).decode(dtype, tuple(shape), buffers[index])


_decoders: dict[int, Callable[[Tree, int, tuple[memoryview, ...]], Any]] = {
    LIST: _decode_items,
    TUPLE: lambda tree, depth, buffers: tuple(_decode_items(tree, depth, buffers)),
    DICT: _decode_dict,
    WIRE: _decode_wire,
    BUFFER: _decode_buffer,
    BIG_INT: lambda tree, depth, buffers: int.from_bytes(tree[1], "little", signed=True),
}

# --- files -----------------------------------------------------------------------------------------------------------


def to_bytes(packed: Packed) -> bytes:
    """Return the byte form in one piece."""
    return b"".join(parts(packed))


def parts(packed: Packed) -> list[bytes | memoryview]:
    """Return the byte form as pieces to write one after the other, without a copy of the buffers."""
    if not packed.buffers:
        return [MAGIC, packed.tree]
    header: dict[str, Any] = {"__metadata__": {"tree": b64encode(packed.tree).decode()}}
    start = 0
    for index, (spec, buffer) in enumerate(zip(packed.specs, packed.buffers, strict=True)):
        dtype = SAFETENSORS_DTYPES.get(spec.dtype)
        entry = {"dtype": dtype, "shape": spec.shape} if dtype else {"dtype": "U8", "shape": [buffer.nbytes]}
        header[str(index)] = {**entry, "data_offsets": [start, start + buffer.nbytes]}
        start += buffer.nbytes
    text = dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return [pack_number("<Q", len(text)), text, *packed.buffers]


def from_bytes(data: bytes | bytearray | memoryview) -> Packed:
    """Read a byte form without decoding it; the buffers share ``data``. Raises MalformedValue."""
    view = memoryview(data)
    if view[:4] == MAGIC:
        return Packed(bytes(view[4:]))
    try:
        return _from_safetensors(view)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise MalformedValue(f"stored bytes are not a value: {error}") from error


def _from_safetensors(view: memoryview) -> Packed:
    end = 8 + int.from_bytes(view[:8], "little")
    header = loads(bytes(view[8:end]))
    tree = b64decode(header.pop("__metadata__")["tree"], validate=True)
    content = view[end:]
    buffers, specs, start = [], [], 0
    for index in range(len(header)):
        entry = header[str(index)]
        first, last = entry["data_offsets"]
        if first != start or not start <= last <= len(content):
            raise MalformedValue("tensors are not laid out one after the other", got=[first, last], expected=start)
        buffers.append(content[first:last])
        specs.append(BufferSpec(_NAMES[entry["dtype"]], tuple(entry["shape"])))
        start = last
    if start != len(content) or not buffers:
        raise MalformedValue("stored bytes are cut or too long", got=len(content), expected=start)
    return Packed(tree, tuple(buffers), tuple(specs))


_NAMES = {short: name for name, short in SAFETENSORS_DTYPES.items()}
