"""Fingerprints of files: 64 hex digits that stand for the content, found without reading gigabytes each time.

A file of up to 16 MB is hashed whole. Of a larger one a sample is hashed: its size, its head (the header of a
safetensors file, at least 1 MB), its last 1 MB and 64 blocks of 64 KB spread over it. A result is kept with path, size,
time of change and inode. When only time or inode moved and the sample is the same, the whole file decides; its digest
from before comes from the background (`engine.digests`).
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

from blake3 import blake3

from engine.bounds import USED_SECONDS, trim
from engine.errors import FileError
from engine.index import Index

SMALL = 16 * 2**20
EDGE = 2**20
BLOCKS = 64
BLOCK = 64 * 1024
LARGEST_HEADER = 100 * 2**20
CHUNK = 8 * 2**20
MAX_FILES = 200_000


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What is known of a file. ``whole`` is the digest of all its bytes, where that was ever computed."""

    path: str
    size: int
    mtime_ns: int
    inode: int
    sample: str
    whole: str | None
    fingerprint: str


class KnownFiles(Protocol):
    """Where records are kept: the files of a store, or the table itself."""

    def known_file(self, path: str) -> FileRecord | None: ...

    def keep_file(self, record: FileRecord) -> None: ...


class FileTable:
    """The table of file records, ``MAX_FILES`` at most: records of files that are gone go first, then the oldest."""

    def __init__(self, index: Index, clock: Callable[[], float]) -> None:
        self._index = index
        self._clock = clock

    def known_file(self, path: str) -> FileRecord | None:
        """Return the record of a path."""
        found = self._index.read("SELECT * FROM files WHERE path = ?", (path,))
        if not found:
            return None
        *record, used = found[0]
        if used < self._clock() - USED_SECONDS:
            with suppress(sqlite3.Error), self._index.transaction() as db:
                db.execute("UPDATE files SET used = ? WHERE path = ?", (self._clock(), path))
        return FileRecord(*record)

    def keep_file(self, record: FileRecord) -> None:
        """Put a record in the place of the one its path had."""
        with self._index.transaction() as db:
            added = db.execute(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (record.path, record.size, record.mtime_ns, record.inode, record.sample, record.whole,
                 record.fingerprint, self._clock()),
            )  # fmt: skip
        trim(self._index, "files", "path", MAX_FILES, added.lastrowid or 0)

    def keep_whole(self, record: FileRecord, whole: str) -> None:
        """Keep the digest of all bytes of a file, unless its record is another by now."""
        with self._index.transaction() as db:
            db.execute(
                "UPDATE files SET whole = ? WHERE path = ? AND size = ? AND mtime_ns = ? AND inode = ?",
                (whole, record.path, record.size, record.mtime_ns, record.inode),
            )

    def paths_of(self, fingerprint: str) -> list[str]:
        """Return the paths that had this fingerprint when they were last looked at."""
        return [path for (path,) in self._index.read("SELECT path FROM files WHERE fingerprint = ?", (fingerprint,))]


def fingerprint(path: Path, known: KnownFiles) -> str:
    """Return the fingerprint of a file, and remember it. Raises FileError where it can't be read."""
    name = str(path.resolve())
    record = known.known_file(name)
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            if record and (record.size, record.mtime_ns, record.inode) == (
                state.st_size, state.st_mtime_ns, state.st_ino,
            ):  # fmt: skip
                return record.fingerprint
            found = _look(file, state, name, record)
    except OSError as error:
        raise FileError(
            f"{path.name} can't be read: {error.strerror}", got=str(path), hint="Check that the file is there."
        ) from error
    known.keep_file(found)
    return found.fingerprint


def whole_digest(path: Path, known: KnownFiles) -> str:
    """Return blake3 of all bytes of a file as hex digits, and remember it beside the fingerprint."""
    fingerprint(path, known)
    record = known.known_file(str(path.resolve()))
    if record is not None and record.whole is not None:
        return record.whole
    with path.open("rb") as file:
        whole = _whole(file)
    if record is not None:
        known.keep_file(replace(record, whole=whole))
    return whole


def _look(file: BinaryIO, state: os.stat_result, name: str, record: FileRecord | None) -> FileRecord:
    """Return the record of a file whose state is new."""
    stamp = (name, state.st_size, state.st_mtime_ns, state.st_ino)
    if state.st_size <= SMALL:
        whole = _whole(file)
        return FileRecord(*stamp, whole, whole, whole)
    sample = _sample(file, state.st_size)
    if record is None or record.sample != sample:
        return FileRecord(*stamp, sample, None, sample)
    whole = _whole(file)
    same = whole == record.whole
    return FileRecord(*stamp, sample, whole, record.fingerprint if same else whole)


def _whole(file: BinaryIO) -> str:
    hasher = blake3(max_threads=blake3.AUTO)
    for chunk in chunks(file):
        hasher.update(chunk)
    return hasher.hexdigest()


def chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield all bytes of a file, a few megabytes at a time."""
    file.seek(0)
    while chunk := file.read(CHUNK):
        yield chunk


def _sample(file: BinaryIO, size: int) -> str:
    hasher = blake3(b"sample" + size.to_bytes(8, "little"))
    file.seek(0)
    start = file.read(8)
    header = 8 + int.from_bytes(start, "little")
    head = header if EDGE < header <= min(size, LARGEST_HEADER) else EDGE
    hasher.update(start + file.read(head - 8))
    file.seek(size - EDGE)
    hasher.update(file.read(EDGE))
    for block in range(BLOCKS):
        file.seek((size - BLOCK) * block // (BLOCKS - 1))
        hasher.update(file.read(BLOCK))
    return hasher.hexdigest()
