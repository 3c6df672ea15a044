"""Names of output files, reserved before the file is written, and what tells our file from another under its name.

A node that is repeated after its process was killed finds the name it had and replaces its own file; two processes
never get the same name. A name is stamped with size, time and digest of our bytes before they appear under it. A file
with another stamp is somebody else's: it is left alone, and ours gets another name.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

from blake3 import blake3

from engine.bounds import USED_SECONDS, trim
from engine.index import DISK_ERRORS, Index

MAX_NAMES = 200_000


class Stamp(NamedTuple):
    """What tells the bytes of a file: their number, when they were written, blake3 of them."""

    size: int
    mtime_ns: int
    digest: bytes

    @classmethod
    def of(cls, path: Path, data: bytes) -> Self:
        """Return the stamp of a file that holds ``data``. Raises OSError where it is gone."""
        return cls(len(data), path.stat().st_mtime_ns, blake3(data).digest())

    def fits(self, path: Path) -> bool:
        """Whether the file has these bytes. They are read only when size and not time is the same."""
        try:
            state = path.stat()
            if state.st_size != self.size:
                return False
            return state.st_mtime_ns == self.mtime_ns or blake3(path.read_bytes()).digest() == self.digest
        except OSError:
            return False


class Name(NamedTuple):
    """A reserved path below its folder, and the stamp of the file that was last written there."""

    path: str
    stamp: Stamp | None = None

    def fits(self, path: Path) -> bool:
        """Whether what lies there is the file that was last written under this name."""
        return self.stamp is not None and self.stamp.fits(path)


FIND = "SELECT path, size, mtime_ns, digest, used FROM names WHERE key = ? AND slot = ? AND folder = ?"


class Names:
    """The reserved names: (key, slot, folder) -> path. In one folder each path belongs to one of them.

    When the index can't be written, ``failed`` is told and names are kept in memory.
    """

    def __init__(self, index: Index, clock: Callable[[], float], failed: Callable[[Exception], None]) -> None:
        self._table = NameTable(index, clock)
        self._clock = clock
        self._failed = failed

    @cached_property
    def _spare(self) -> "NameTable":
        return NameTable(Index(None), self._clock)

    def reserved(self, key: bytes, slot: int, folder: str) -> Name | None:
        """Return the name that was reserved before."""
        try:
            found = self._table.reserved(key, slot, folder)
        except DISK_ERRORS as error:
            self._failed(error)
            found = None
        return found or ("_spare" in self.__dict__ and self._spare.reserved(key, slot, folder)) or None

    def reserve(self, key: bytes, slot: int, folder: str, make: Callable[[int], str], taken: str | None = None) -> Name:
        """Return the name of an output file, the same each time; ``make(0), make(1), ...`` offer new ones.

        One that is ``taken`` by a file that is not ours is given up for another.
        """
        try:
            return self._table.reserve(key, slot, folder, make, taken)
        except sqlite3.Error as error:
            self._failed(error)
            return self._spare.reserve(key, slot, folder, make, taken)

    def stamp(self, key: bytes, slot: int, folder: str, stamp: Stamp) -> None:
        """Note what is about to be written under a reserved name."""
        try:
            self._table.stamp(key, slot, folder, stamp)
        except DISK_ERRORS as error:
            self._failed(error)
        if "_spare" in self.__dict__:
            self._spare.stamp(key, slot, folder, stamp)


class NameTable:
    """The table of names in an index.

    At most ``MAX_NAMES`` are kept; those go first whose file is gone, then those that were used longest ago.
    """

    def __init__(self, index: Index, clock: Callable[[], float]) -> None:
        self._index = index
        self._clock = clock

    def reserved(self, key: bytes, slot: int, folder: str) -> Name | None:
        """Return the name that was reserved before."""
        found = self._index.read(FIND, (key, slot, folder))
        if not found:
            return None
        *name, used = found[0]
        if used < self._clock() - USED_SECONDS:
            with suppress(sqlite3.Error):
                self._write("UPDATE names SET used = ? WHERE key = ? AND slot = ? AND folder = ?", key, slot, folder)
        return _name(*name)

    def reserve(self, key: bytes, slot: int, folder: str, make: Callable[[int], str], taken: str | None = None) -> Name:
        """Return the name of (key, slot, folder), reserving one where there is none or it is ``taken`` by a stranger.

        ``make`` is asked for a path with 0, 1, 2, ... until it names one that no other has.
        """
        with self._index.transaction() as db:
            where = (key, slot, folder)
            found = db.execute(FIND, where).fetchone()
            if found and found[0] != taken:
                return _name(*found[:4])
            db.execute("DELETE FROM names WHERE key = ? AND slot = ? AND folder = ?", where)
            attempt = 0
            while True:
                path = make(attempt)
                added = db.execute(
                    "INSERT INTO names (key, slot, folder, path, used) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (*where, path, self._clock()),
                )
                if added.rowcount:
                    break
                attempt += 1
        trim(self._index, "names", "folder || '/' || path", MAX_NAMES, added.lastrowid or 0)
        return Name(path)

    def stamp(self, key: bytes, slot: int, folder: str, stamp: Stamp) -> None:
        """Note what is about to appear under a name."""
        sql = "UPDATE names SET used = ?, size = ?, mtime_ns = ?, digest = ? WHERE key = ? AND slot = ? AND folder = ?"
        self._write(sql, *stamp, key, slot, folder)

    def _write(self, sql: str, *values: object) -> None:
        with self._index.transaction() as db:
            db.execute(sql, (self._clock(), *values))


def _name(path: str, size: int | None, mtime_ns: int | None, digest: bytes | None) -> Name:
    return Name(path, None if size is None or mtime_ns is None or digest is None else Stamp(size, mtime_ns, digest))
