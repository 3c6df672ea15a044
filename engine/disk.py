"""The disk tier: rows and small values in the index, larger values as object files, all under one limit of bytes.

The limit is hard: room is made, and counted for every process, before a byte is written. An object is entered as *being
written*, its file is written and renamed, and only then does it count as stored and does its row appear. So a killed
process leaves entries that name it and nothing else; the next one to open the store removes them.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engine.eviction import Candidate, victims
from engine.index import Index
from engine.objects import Objects, file_bytes
from engine.processes import is_dead, this_process
from engine.rows import Row, row_from_bytes
from engine.values import MalformedValue, Packed, from_bytes, to_bytes

INLINE_BYTES = 4096
"""The largest packed value that lives in the index instead of a file of its own."""

OVERHEAD = 256
"""Bytes that the index spends on an entry beside its content, in round numbers."""

MAX_ROWS = 1_000_000
INDEX_RESERVE = 16 * 2**20
"""Bytes of the limit kept back for the journal and free pages of the index; an eighth of a smaller limit."""

LOW_WATER = 0.9
"""Eviction frees this much more than it must, so that it happens seldom."""

READ_BYTES_PER_SECOND = 500e6
READ_SECONDS = 2e-4
STALE_SECONDS = 3600.0
"""After this long an object that is still being written on another host is given up."""

BATCH = 500
GROUP = 100


class Entry(NamedTuple):
    """One result on its way to the disk. ``body`` is the byte form of ``row``."""

    key: bytes
    type: str
    row: Row
    body: bytes
    values: tuple[tuple[bytes, Packed], ...]


def worth_a_file(packed: Packed, cost: float) -> bool:
    """Return whether a value takes longer to compute than to read back."""
    return cost >= packed.nbytes / READ_BYTES_PER_SECOND + READ_SECONDS


class Disk:
    """Reads and writes the folder of a store. Every method may raise OSError and sqlite3.Error."""

    def __init__(self, folder: Path, limit: int, clock: Callable[[], float]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.limit = limit
        self.objects = Objects(folder / "objects")
        self.index = Index(folder / "index.db", on_begin=self.objects.clear)
        self._clock = clock
        self._sweep()

    def _sweep(self) -> None:
        """Remove what dead processes left half written."""
        stale = self._clock() - STALE_SECONDS
        found = self.index.read("SELECT digest, writer, used FROM objects WHERE writer IS NOT NULL")
        for digest, writer, used in found:
            if is_dead(writer) or used < stale:
                with self.index.transaction() as db:
                    if db.execute("DELETE FROM objects WHERE digest = ? AND writer = ?", (digest, writer)).rowcount:
                        self.objects.drop_parts(digest)

    # --- reading ---

    def rows(self, keys: Iterable[bytes]) -> Iterator[tuple[bytes, Row, float]]:
        """Yield key, row and last use of each key that is here."""
        for some in _batches(list(keys)):
            marks = ",".join("?" * len(some))
            for key, body, used in self.index.read(f"SELECT key, body, used FROM rows WHERE key IN ({marks})", some):
                row = row_from_bytes(key, body)
                if row is not None:
                    yield key, row, used

    def row(self, key: bytes) -> tuple[Row, float] | None:
        """Return a row and its last use."""
        found = self.index.read("SELECT body, used FROM rows WHERE key = ?", (key,))
        row = row_from_bytes(key, found[0][0]) if found else None
        return None if row is None else (row, found[0][1])

    def has(self, digest: bytes) -> bool:
        """Return whether a value is here, without reading it."""
        found = self.index.read("SELECT inline IS NOT NULL FROM objects WHERE digest = ? AND writer IS NULL", (digest,))
        return bool(found) and (bool(found[0][0]) or self.objects.exists(digest))

    def read(self, digest: bytes) -> tuple[Packed, float] | None:
        """Return a value whose bytes fit its digest, and its last use. A bad one is dropped."""
        found = self.index.read("SELECT inline, used FROM objects WHERE digest = ? AND writer IS NULL", (digest,))
        if not found:
            return None
        inline, used = found[0]
        packed = self.objects.read(digest) if inline is None else _checked(digest, inline)
        if packed is None:
            self.drop(digest)
            return None
        return packed, used

    def costs(self, type: str, count: int) -> list[float]:
        """Return the seconds that the last ``count`` results of a node type took, newest first."""
        found = self.index.read("SELECT cost FROM rows WHERE type = ? ORDER BY rowid DESC LIMIT ?", (type, count))
        return [cost for (cost,) in found]

    def recent(self, type: str, count: int) -> list[Row]:
        """Return the last ``count`` rows of a node type, newest first."""
        found = self.index.read("SELECT key, body FROM rows WHERE type = ? ORDER BY rowid DESC LIMIT ?", (type, count))
        return [row for key, body in found if (row := row_from_bytes(key, body)) is not None]

    # --- writing ---

    def commit(self, entries: Sequence[Entry], touched: Mapping[bytes, float]) -> None:
        """Store results and note last uses. Rows whose values all live in the index share one transaction."""
        plain: list[Entry] = []
        filed: list[Entry] = []
        for entry in entries:
            (filed if any(self._needs_file(entry, packed) for _, packed in entry.values) else plain).append(entry)
        with self.index.transaction() as db:
            self._enter(db, plain)
            used = [(when, key) for key, when in touched.items()]
            db.executemany("UPDATE rows SET used = ? WHERE key = ?", used)
            db.executemany("UPDATE objects SET used = ? WHERE digest = ?", used)
        for entry in filed:
            written = self._write_files(entry)
            with self.index.transaction() as db:
                self._enter(db, [entry])
                for digest in written:
                    if not db.execute("UPDATE objects SET writer = NULL WHERE digest = ?", (digest,)).rowcount:
                        self.objects.drop(digest)

    def keep(self, digest: bytes, packed: Packed, type: str, cost: float) -> None:
        """Store one value, even if it is cheaper to compute than to read."""
        entry = Entry(b"", type, Row(cost=cost), b"", ((digest, packed),))
        if not self._begin_file(digest, packed, entry):
            return
        try:
            self.objects.write(digest, packed)
        except OSError:
            self.drop(digest)
            raise
        with self.index.transaction() as db:
            if not db.execute("UPDATE objects SET writer = NULL WHERE digest = ?", (digest,)).rowcount:
                self.objects.drop(digest)

    def _needs_file(self, entry: Entry, packed: Packed) -> bool:
        return packed.nbytes > INLINE_BYTES and worth_a_file(packed, entry.row.cost)

    def _enter(self, db: sqlite3.Connection, entries: Sequence[Entry]) -> None:
        """Insert rows and the values that live in the index, as far as there is room."""
        now = self._clock()
        inline = {
            digest: (digest, entry.type, to_bytes(packed), packed.nbytes + OVERHEAD, entry.row.cost, now)
            for entry in entries
            for digest, packed in entry.values
            if packed.nbytes <= INLINE_BYTES
        }
        rows = [
            (entry.key, entry.type, entry.body, len(entry.body) + OVERHEAD, entry.row.cost, now) for entry in entries
        ]
        if self._make_room(db, sum(each[3] for each in inline.values()) + sum(each[3] for each in rows), len(rows)):
            _insert(db, INSERT_INLINE, list(inline.values()))
            _insert(db, INSERT_ROW, rows)

    def _write_files(self, entry: Entry) -> list[bytes]:
        """Write the larger values of an entry and return the digests of those that were not stored before."""
        written = []
        for digest, packed in entry.values:
            if self._needs_file(entry, packed) and self._begin_file(digest, packed, entry):
                try:
                    self.objects.write(digest, packed)
                except OSError:
                    self.drop(digest)
                    raise
                written.append(digest)
        return written

    def _begin_file(self, digest: bytes, packed: Packed, entry: Entry) -> bool:
        """Enter an object as being written. Return False where it is stored, being stored or finds no room."""
        now, size = self._clock(), file_bytes(packed) + OVERHEAD
        with self.index.transaction() as db:
            found = db.execute("SELECT writer FROM objects WHERE digest = ?", (digest,)).fetchone()
            if found and not self._is_lost(digest, found[0]):
                db.execute(
                    "UPDATE objects SET used = ?, cost = max(cost, ?) WHERE digest = ?", (now, entry.row.cost, digest)
                )
                return False
            if found:
                db.execute("DELETE FROM objects WHERE digest = ?", (digest,))
            if not self._make_room(db, size, 0):
                return False
            db.execute(INSERT_FILE, (digest, entry.type, size, entry.row.cost, now, this_process()))
        return True

    def _is_lost(self, digest: bytes, writer: str | None) -> bool:
        return is_dead(writer) if writer else not self.objects.exists(digest)

    def _make_room(self, db: sqlite3.Connection, nbytes: int, rows: int) -> bool:
        """Evict until ``nbytes`` more fit. Return False where they can't."""
        limit = self.limit - min(INDEX_RESERVE, self.limit // 8)
        count, used = db.execute("SELECT rows, bytes FROM totals").fetchone()
        if count + rows > MAX_ROWS:
            self._drop_rows(db, count + rows - int(MAX_ROWS * LOW_WATER))
        if used + nbytes <= limit:
            return True
        if nbytes > limit:
            return False
        candidates = db.execute("SELECT digest, size, cost, used FROM objects WHERE writer IS NULL")
        excess = used + nbytes - int(limit * LOW_WATER)
        for victim in victims((Candidate(*each) for each in candidates), excess, self._clock()):
            self._drop(db, victim.digest)
        return self._fits(db, nbytes, limit)

    def _fits(self, db: sqlite3.Connection, nbytes: int, limit: int) -> bool:
        """Drop rows, a half at a time, where dropping values was not enough."""
        while True:
            count, used = db.execute("SELECT rows, bytes FROM totals").fetchone()
            if used + nbytes <= limit or not count:
                return bool(used + nbytes <= limit)
            self._drop_rows(db, count - count // 2)

    def _drop_rows(self, db: sqlite3.Connection, count: int) -> None:
        db.execute("DELETE FROM rows WHERE rowid IN (SELECT rowid FROM rows ORDER BY used LIMIT ?)", (count,))

    def drop(self, digest: bytes) -> None:
        """Remove a value."""
        with self.index.transaction() as db:
            self._drop(db, digest)

    def _drop(self, db: sqlite3.Connection, digest: bytes) -> None:
        self.objects.drop(digest)
        db.execute("DELETE FROM objects WHERE digest = ?", (digest,))

    def close(self) -> None:
        self.index.close()


INSERT_INLINE = """
INSERT INTO objects (digest, type, inline, size, cost, used) VALUES {}
ON CONFLICT (digest) DO UPDATE SET used = excluded.used, cost = max(cost, excluded.cost)
"""
INSERT_FILE = "INSERT INTO objects (digest, type, size, cost, used, writer) VALUES (?, ?, ?, ?, ?, ?)"
INSERT_ROW = """
INSERT INTO rows (key, type, body, size, cost, used) VALUES {}
ON CONFLICT (key) DO UPDATE
SET type = excluded.type, body = excluded.body, size = excluded.size, cost = excluded.cost, used = excluded.used
"""


def _insert(db: sqlite3.Connection, statement: str, records: Sequence[tuple[Any, ...]]) -> None:
    """Insert records of six values, many by one call of SQLite.

    At each call the thread gives up Python's lock and has to get it back, and the threads that run nodes wait for it.
    """
    for start in range(0, len(records), GROUP):
        some = records[start : start + GROUP]
        marks = ",".join(["(?,?,?,?,?,?)"] * len(some))
        db.execute(statement.format(marks), [value for record in some for value in record])


def _checked(digest: bytes, inline: bytes) -> Packed | None:
    try:
        packed = from_bytes(inline)
    except MalformedValue:
        return None
    return packed if packed.digest == digest else None


def _batches(keys: list[Any]) -> Iterator[list[Any]]:
    return (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))
