"""Weights files, opened without trust and without torch.

A file is known by its first bytes, never by its name. Of a safetensors file only the header is read; tensors are views
of the mapped file, so no tensor is read twice and none is copied. Torch's own format is read by `pickled`.
"""

import json
import math
import mmap
import string
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import FileError

if TYPE_CHECKING:
    from torch import Tensor

DTYPES: Mapping[str, tuple[str, int]] = {
    "F64": ("float64", 8),
    "F32": ("float32", 4),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "F8_E4M3": ("float8_e4m3fn", 1),
    "F8_E5M2": ("float8_e5m2", 1),
    "I64": ("int64", 8),
    "I32": ("int32", 4),
    "I16": ("int16", 2),
    "I8": ("int8", 1),
    "U8": ("uint8", 1),
    "BOOL": ("bool", 1),
}
"""The name of a dtype in a safetensors header -> its name in torch and its bytes per number."""

HEADER_LIMIT = 100_000_000
"""The largest header in bytes; the limit of the safetensors format."""

EXPECTED = "a safetensors file, or weights saved by torch (.ckpt, .pt, .pth, .bin)"

AGAIN = "download or copy the file again, or choose another"


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """What a header tells of a tensor: ``dtype`` as safetensors names it, and its shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def numbers(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Weights:
    """An opened weights file. ``tensor(name)`` gives a view of the mapped file, to be read and not written."""

    path: Path
    metadata: Mapping[str, str]
    infos: Mapping[str, TensorInfo]
    tensor: Callable[[str], "Tensor"]

    def shape(self, name: str) -> tuple[int, ...]:
        return self.infos[name].shape

    def state_dict(self) -> dict[str, "Tensor"]:
        return {name: self.tensor(name) for name in self.infos}


def open_weights(path: Path) -> Weights:
    """Open a weights file.

    Raises FileError where it is missing, truncated or something else, ModelError where it holds code.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise FileError(f"can't read {path.name}: {error.strerror}", got=str(path), expected=EXPECTED) from error
    is_pickled = head.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"))
    if head[8:9] == b"{" and not (is_pickled and _length(head) > HEADER_LIMIT):
        return _open_safetensors(path, size)
    if is_pickled:
        from nodes.models.pickled import open_pickled

        return open_pickled(path)
    raise FileError(f"{path.name} is not a weights file", got=describe(head), expected=EXPECTED, hint=AGAIN)


TRAINED = Path("the trained LoRA")
"""What stands for the path of one that is in no file."""


def in_memory(path: Path, tensors: Mapping[str, "Tensor"]) -> Weights:
    """Return tensors as a file that was opened."""
    keys = {torch_name: key for key, (torch_name, _) in DTYPES.items()}
    infos = {
        each: TensorInfo(keys[str(tensor.dtype).removeprefix("torch.")], tuple(tensor.shape))
        for each, tensor in tensors.items()
    }
    return Weights(path, {}, infos, tensors.__getitem__)


def told_by_header(path: Path) -> Weights | None:
    """Open a safetensors file whose tensors are not wanted; None where it is of another kind. Imports no torch.

    Raises FileError where it is truncated or broken, OSError where it can't be read.
    """
    with path.open("rb") as file:
        head = file.read(9)
    return _open_safetensors(path, path.stat().st_size) if head[8:] == b"{" else None


MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "a git-lfs pointer (the file itself was never downloaded)"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
    (b"gguf", "a GGUF file"),
    (b"\x89png", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x1f\x8b", "a gzip file"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"rar!", "a RAR archive"),
)


def describe(head: bytes) -> str:
    """Name what a file is by its first bytes."""
    if not head:
        return "an empty file"
    start = head.lstrip().lower()
    for magic, name in MAGIC:
        if start.startswith(magic):
            return name
    if all(byte >= 128 or chr(byte) in string.printable for byte in head):
        return f"a text file that begins {head[:40].decode(errors='replace')!r}"
    return f"a file of unknown kind that begins {head[:8].hex(' ')}"


def _open_safetensors(path: Path, size: int) -> Weights:
    header, start = _header(path, size)
    metadata = header.pop("__metadata__", {})
    try:
        infos = {name: TensorInfo(entry["dtype"], tuple(entry["shape"])) for name, entry in header.items()}
        spans = {name: _span(entry["data_offsets"], start) for name, entry in header.items()}
        for name, info in infos.items():
            _check_span(path, size, name, info, spans[name])
        metadata = {str(key): str(value) for key, value in metadata.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FileError(
            f"the header of {path.name} is broken", got=repr(error), expected=EXPECTED, hint=AGAIN
        ) from error
    return Weights(path, metadata, infos, MappedTensors(path, infos, spans))


def _span(offsets: Sequence[int], start: int) -> tuple[int, int]:
    first, last = offsets
    return start + first, start + last


def _length(head: bytes) -> int:
    """Return how long the header of a safetensors file is. The length of a short one can begin as a pickle does."""
    (length,) = struct.unpack("<Q", head[:8])
    return int(length)


def _header(path: Path, size: int) -> tuple[dict[str, Any], int]:
    """Return the header of a safetensors file and the offset of its data."""
    with path.open("rb") as file:
        length = _length(file.read(8))
        if length > HEADER_LIMIT:
            raise FileError(
                f"{path.name} is not a weights file",
                got=f"a header of {length} bytes",
                expected=f"{EXPECTED}; a header has at most {HEADER_LIMIT} bytes",
                hint=AGAIN,
            )
        if 8 + length > size:
            raise _truncated(path, size, 8 + length)
        raw = file.read(length)
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise FileError(f"the header of {path.name} is broken", got=str(error), expected="JSON", hint=AGAIN) from error
    if not isinstance(header, dict):
        raise FileError(
            f"the header of {path.name} is broken", got=type(header).__name__, expected="a JSON object", hint=AGAIN
        )
    return header, 8 + length


def _check_span(path: Path, size: int, name: str, info: TensorInfo, span: tuple[int, int]) -> None:
    if info.dtype not in DTYPES:
        raise FileError(f"{path.name} has a dtype that is not known", got=f"{info.dtype} in {name}", expected=[*DTYPES])
    start, end = span
    if any(not isinstance(n, int) or n < 0 for n in (*info.shape, start, end)):
        raise FileError(f"the header of {path.name} is broken", got=f"{name}: shape {info.shape}, bytes {span}")
    if end - start != info.numbers * DTYPES[info.dtype][1]:
        raise FileError(
            f"the header of {path.name} is broken",
            got=f"{name} lies in {end - start} bytes",
            expected=f"{info.dtype} of shape {info.shape}: {info.numbers * DTYPES[info.dtype][1]} bytes",
            hint=AGAIN,
        )
    if end > size:
        raise _truncated(path, size, end)


def _truncated(path: Path, size: int, expected: int) -> FileError:
    return FileError(
        f"{path.name} is truncated",
        got=f"{size} bytes",
        expected=f"at least {expected} bytes",
        hint=AGAIN,
    )


class MappedTensors:
    """Reads tensors of a safetensors file as views of the mapped file. The mapping is private: no write reaches it."""

    def __init__(self, path: Path, infos: Mapping[str, TensorInfo], spans: Mapping[str, tuple[int, int]]) -> None:
        self.path = path
        self.infos = infos
        self.spans = spans

    @cached_property
    def mapping(self) -> mmap.mmap:
        with self.path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)

    def __call__(self, name: str) -> "Tensor":
        import torch

        info = self.infos[name]
        start, end = self.spans[name]
        dtype = getattr(torch, DTYPES[info.dtype][0])
        if start == end:
            return torch.empty(info.shape, dtype=dtype)
        flat = torch.frombuffer(self.mapping, dtype=torch.uint8, count=end - start, offset=start)
        if flat.data_ptr() % DTYPES[info.dtype][1]:
            flat = flat.clone()
        return flat.view(dtype).view(info.shape)
