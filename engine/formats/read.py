"""Read a workflow from JSON, or from the metadata of a picture or video."""

import io
import os
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from engine.errors import FileError, WorkflowError
from engine.formats import png, webm
from engine.formats.detect import Detected, detect
from engine.formats.exif import jpeg_strings, webp_strings
from engine.formats.jsontext import MAX_JSON_BYTES, parse_json
from engine.formats.mp4 import mp4_texts
from engine.formats.png import png_texts
from engine.formats.webm import webm_texts
from engine.spelling import meant

Source = bytes | bytearray | memoryview | str | os.PathLike[str] | Mapping[str, Any]

KEYS = ("workflow", "prompt")
OURS = "loomis"
"""The metadata text, and the key of a document, that holds what Loomis adds: declared parameters, provenance."""

WRAPPED_KEYS = ("comment", "\xa9cmt", "usercomment")


@dataclass(frozen=True, slots=True)
class Found:
    """The workflows of one source, and what Loomis keeps beside them.

    ``container`` is json, png, webp, jpeg, mp4 or webm.
    """

    api: dict[str, Any] | None
    saved: dict[str, Any] | None
    container: str
    loomis: Any = None

    @property
    def envelope(self) -> dict[str, Any]:
        """The object that carries all of it as JSON."""
        parts = {"prompt": self.api, "workflow": self.saved, OURS: self.loomis}
        return {name: part for name, part in parts.items() if part is not None}


def read(source: Source) -> Found:
    """Return the workflows in bytes, in the file at a path, or in a parsed JSON object.

    Only metadata is read of pictures and videos, so their size does not matter. Raises FileError where the file can't
    be opened and WorkflowError where it holds no workflow.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return _read(io.BytesIO(source), "The data")
    if not isinstance(source, str | os.PathLike):
        return _found(detect(dict(source) if isinstance(source, Mapping) else source, "The object"), "json")
    path = Path(source)
    try:
        stream = path.open("rb")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        folder = isinstance(error, IsADirectoryError)
        hint = "Name a file in it, or look at all of them: loomis check." if folder else meant(path)
        raise FileError(
            f"{path} can't be opened: {why}.", got=str(path), expected="a workflow file", hint=hint
        ) from None
    with closing(stream):
        return _read(stream, path.name)


def _read(stream: BinaryIO, what: str) -> Found:
    head = stream.read(16)
    container = container_of(head)
    if container == "json":
        stream.seek(0)
        return _found(detect(parse_json(stream.read(MAX_JSON_BYTES + 1), what), what), container)
    return _embedded(READERS[container](stream), container, what)


def container_of(head: bytes) -> str:
    """Return the container that the first 16 bytes of a file announce; ``json`` where they announce none."""
    if head.startswith(png.SIGNATURE):
        return "png"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head[4:8] in (b"ftyp", b"moov", b"wide", b"skip"):
        return "mp4"
    if head.startswith(webm.SIGNATURE):
        return "webm"
    return "json"


def _embedded(texts: dict[str, str], container: str, what: str) -> Found:
    """Return the workflows among metadata texts. A text that is damaged is passed over where the other is whole."""
    found: dict[str, Any] = {}
    problems: list[WorkflowError] = []
    for name, text in texts.items():
        key = name.lower().rpartition(".")[2]
        if key not in (*KEYS, *WRAPPED_KEYS):
            continue
        if key in WRAPPED_KEYS and not text.lstrip().startswith("{"):
            continue
        try:
            detected = detect(_opened(parse_json(text, f"The {key} in {what}")), f"The {key} in {what}")
        except WorkflowError as error:
            problems.append(error)
            continue
        for kind in ("api", "saved", "loomis"):
            if getattr(detected, kind) is not None:
                found.setdefault(kind, getattr(detected, kind))
    if found:
        return Found(found.get("api"), found.get("saved"), container, found.get("loomis", _ours(texts)))
    if problems:
        raise problems[0]
    raise WorkflowError(
        f"{what} carries no workflow.",
        got=f"a {container} file with {', '.join(sorted(texts)[:8]) or 'no texts'} in its metadata",
        expected='metadata named "workflow" or "prompt"',
        hint="Many sites strip metadata: use the original file, or ask for the workflow as JSON.",
    )


def _opened(value: Any) -> Any:
    """Some programs put JSON text inside JSON: ``{"prompt": "{...}", "workflow": {...}}``."""
    if not isinstance(value, dict):
        return value
    inner = {key: value[key] for key in KEYS if isinstance(value.get(key), str)}
    return {**value, **{key: parse_json(text, f"The {key}") for key, text in inner.items()}} if inner else value


def _ours(texts: Mapping[str, str]) -> Any:
    """Return what Loomis wrote into a picture besides the workflow; nothing where that is damaged."""
    try:
        return parse_json(texts[OURS], OURS) if OURS in texts else None
    except WorkflowError:
        return None


def _found(detected: Detected, container: str) -> Found:
    return Found(detected.api, detected.saved, container, detected.loomis)


def _keyed(strings: list[str]) -> dict[str, str]:
    """Return ``prompt:{...}`` and ``workflow:{...}`` by their prefix, and a bare JSON text as a comment."""
    texts: dict[str, str] = {}
    for text in strings:
        prefix, mark, rest = text.partition(":")
        if mark and prefix.strip().lower() in KEYS:
            texts.setdefault(prefix.strip().lower(), rest)
        elif text.lstrip().startswith("{"):
            texts.setdefault("usercomment", text)
    return texts


READERS: dict[str, Callable[[BinaryIO], dict[str, str]]] = {
    "png": png_texts,
    "webp": lambda stream: _keyed(webp_strings(stream)),
    "jpeg": lambda stream: _keyed(jpeg_strings(stream)),
    "mp4": mp4_texts,
    "webm": webm_texts,
}
