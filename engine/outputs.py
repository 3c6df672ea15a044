"""Write the files of output nodes: name them, add the workflow, and do it again when a remembered file is gone.

A name is reserved in the store before the file is written, so a node that is repeated after a kill replaces its own
file. A file that somebody else put under the name, or changed, is left alone: ours is written again under the next
free number. The workflow goes into the file at each write; it is not part of what is remembered.
"""

import json
import os
import re
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from engine.call import Outcome
from engine.dates import format_date
from engine.errors import FileError
from engine.folders import LONGEST_PREFIX, Folders, confined
from engine.formats.read import OURS
from engine.memo import Memo
from engine.names import Stamp
from engine.parts import Part
from engine.provenance import Provenance
from engine.rows import Row
from engine.shown_files import shown_files

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the files of one call are; ``written`` is false when all were there already."""

    files: tuple[Mapping[str, Any], ...]
    written: bool


class Outputs:
    """The output folders of one run. Its files get the graph, ``extra`` and their provenance as texts."""

    def __init__(
        self,
        memo: Memo,
        folders: Folders,
        prompt: Mapping[str, Any],
        extra: Mapping[str, Any],
        provenance: Provenance,
    ) -> None:
        self.memo = memo
        self.folders = folders
        self.texts = {"prompt": prompt, **extra}
        self.provenance = provenance

    def place(self, node: str, key: bytes, row: Row, outcome: Outcome | None = None) -> Placed:
        """See that the files of a node's call are on disk.

        Raises:
            FileError: the folder can't be written.
            Lost: a file is gone, and so is what it was made from.
        """
        files = []
        written = False
        for index, (digest, prefix, suffix, kind, group, width, height) in enumerate(row.files):
            folder = self.folders.place(kind).resolve()
            fill = filler(index, width, height)
            where = (key, index, str(folder))
            name, here = self._name(where, partial(numbered, folder, fill(prefix), suffix))
            path = folder / name
            if not here:
                data = outcome.files[index].data if outcome else self.memo.value(digest)
                write(path, self._spliced(data, suffix, node, index), partial(self.memo.store.names.stamp, *where))
                written = True
            subfolder = Path(name).parent.as_posix()
            files.append(
                {
                    "filename": path.name,
                    "subfolder": "" if subfolder == "." else subfolder,
                    "type": kind,
                    "kind": group,
                    "path": str(path),
                }
            )
        return Placed(tuple(files), written)

    def shown(self, notes: Mapping[str, list[Any]], written: bool) -> Placed | None:
        """Return where the files are that a foreign node wrote itself, now or before; None where there are none.

        One that knows the output folder from before writes there, though the run writes elsewhere.
        """
        found = shown_files(notes, self.folders, self.memo.folders)
        files = [{**item, "kind": name, "path": str(path)} for name, item, path in found]
        return Placed(tuple(files), written) if files else None

    def _spliced(self, data: bytes, suffix: str, node: str, index: int) -> bytes:
        if suffix not in SPLICERS:
            return data
        return SPLICERS[suffix](data, self.texts | {OURS: self.provenance.of_file(node, index, data)})

    def _name(self, where: tuple[bytes, int, str], numbers: Callable[[], Callable[[int], str]]) -> tuple[str, bool]:
        """Return the name of a file and whether it is there. A name under which a strange file lies is given up.

        A file that appeared after its name was read is told by the stamp that was noted before it appeared.
        """
        names = self.memo.store.names
        name = names.reserved(*where) or names.reserve(*where, numbers())
        while True:
            path = Path(where[2], name.path)
            if name.fits(path):
                return name.path, True
            if not path.exists() or (path.is_file() and not path.stat().st_size):
                return name.path, False
            now = names.reserved(*where) or name
            if now.path == name.path and not now.fits(path):
                now = names.reserve(*where, numbers(), taken=name.path)
            name = now


def filler(index: int, width: int, height: int) -> Callable[[str], str]:
    """Return a function that fills ``%year%``, ``%date:yyyy-MM-dd%``, ``%width%`` and their like into a prefix."""
    now = datetime.now()
    fields = {
        "year": f"{now.year}", "month": f"{now.month:02}", "day": f"{now.day:02}", "hour": f"{now.hour:02}",
        "minute": f"{now.minute:02}", "second": f"{now.second:02}", "width": str(width), "height": str(height),
        "batch_num": str(index),
    }  # fmt: skip

    def filled(found: re.Match[str]) -> str:
        return format_date(found[2], now) if found[2] else fields.get(found[1], found[0])

    return lambda prefix: re.sub(r"%(date:([^%]+)|\w+)%", filled, prefix)


def numbered(folder: Path, prefix: str, suffix: str) -> Callable[[int], str]:
    """Return a function from attempts to names: ``prefix_00001_.png``, one above the highest that is there."""
    relative = confined(prefix, LONGEST_PREFIX)
    pattern = re.compile(re.escape(relative.name) + r"_(\d+)_")
    highest: list[int] = []

    def name(attempt: int) -> str:
        if not highest:
            place = folder / relative.parent
            found = [pattern.match(entry) for entry in os.listdir(place)] if place.is_dir() else []  # noqa: PTH208
            highest.append(max((int(match[1]) for match in found if match), default=0))
        return (relative.parent / f"{relative.name}_{highest[0] + attempt + 1:05}_{suffix}").as_posix()

    return name


def write(path: Path, data: bytes, stamp: Callable[[Stamp], None] = lambda stamp: None) -> None:
    """Write a file whole or not at all. ``stamp`` is told what tells its bytes before they appear under the name.

    Raises:
        FileError: the folder can't be written.
    """
    try:
        with Part(path) as part:
            part.file.write(data)
            part.file.close()
            stamp(Stamp.of(part.path, data))
            part.take(path)
    except OSError as error:
        raise unwritable(path.parent, error) from error


def check_writable(folder: Path) -> None:
    """See that a folder can be written before anything runs.

    Raises:
        FileError: it can't.
    """
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    if not os.access(folder, os.W_OK):
        raise unwritable(folder, PermissionError(13, "permission denied"))


def unwritable(folder: Path, error: OSError) -> FileError:
    return FileError(
        f"The folder {folder} can't be written: {error.strerror}.",
        got=str(folder),
        expected="a folder that can be written, on a disk with room",
        hint="Choose another with --out.",
    )


def with_png_text(data: bytes, texts: Mapping[str, Any]) -> bytes:
    """Return a PNG with texts in it, as JSON in tEXt chunks behind the header (PNG specification, 11.3.4.3)."""
    header_end = len(PNG_SIGNATURE) + 25
    chunks = [_png_chunk(b"tEXt", _keyword(name) + b"\0" + _json(value)) for name, value in texts.items()]
    return b"".join([data[:header_end], *chunks, data[header_end:]])


def _keyword(name: str) -> bytes:
    """Return a name as the keyword of a chunk: 1 to 79 bytes of Latin-1 without NUL (PNG specification, 11.3.4.2)."""
    return name.replace("\0", "?").encode("latin-1", "replace")[:79] or b"?"


def without_png_text(data: bytes) -> bytes:
    """Return a PNG without the tEXt chunks that stand right behind its header: the picture as it was encoded."""
    header_end = at = len(PNG_SIGNATURE) + 25
    while data[at + 4 : at + 8] == b"tEXt":
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return data[:header_end] + data[at:]


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def with_safetensors_text(data: bytes, texts: Mapping[str, Any]) -> bytes:
    """Return a safetensors file with texts as JSON in its metadata. Offsets count from the end of the header."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    written = {name: json.dumps(value) for name, value in texts.items()}
    header["__metadata__"] = {**header.get("__metadata__", {}), **written}
    raw = json.dumps(header).encode("ascii")
    raw += b" " * (-len(raw) % 8)
    return struct.pack("<Q", len(raw)) + raw + data[8 + length :]


def with_webp_text(data: bytes, texts: Mapping[str, Any]) -> bytes:
    """Return a WEBP file with texts in its EXIF block, as ``name:JSON`` under the tags for model and maker.

    The file is in the extended form and has an EXIF block, which is replaced (RIFF; TIFF 6.0, section 2).
    """
    entries = [f"{name}:{json.dumps(value)}".encode("ascii") + b"\0" for name, value in texts.items()]
    tags = range(EXIF_MODEL - len(entries) + 1, EXIF_MODEL + 1)
    offset = 8 + 2 + 12 * len(entries) + 4
    directory, bodies = b"", b""
    for tag, entry in zip(tags, reversed(entries), strict=True):
        directory += struct.pack("<HHII", tag, 2, len(entry), offset + len(bodies))
        bodies += entry + b"\0" * (len(entry) % 2)
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4) + bodies
    chunks, position = b"", 12
    while position < len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        end = position + 8 + length + length % 2
        if kind != b"EXIF":
            chunks += data[position:end]
        position = end
    chunks += b"EXIF" + struct.pack("<I", len(block)) + block + b"\0" * (len(block) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


EXIF_MODEL = 0x0110


def _json(value: Any) -> bytes:
    return json.dumps(value).encode("ascii")


SPLICERS: Mapping[str, Callable[[bytes, Mapping[str, Any]], bytes]] = {
    ".png": with_png_text,
    ".webp": with_webp_text,
    ".latent": with_safetensors_text,
    ".safetensors": with_safetensors_text,
}
"""How the workflow gets into a file, by suffix."""
