"""Looking at a store, checking it and clearing it."""

import re
import sqlite3
from dataclasses import dataclass

from engine.disk import Disk
from engine.processes import is_dead

OBJECT = re.compile("[0-9a-f]{64}")
"""How the name of an object file begins."""


@dataclass(frozen=True, slots=True)
class Costs:
    """How many seconds recent results of a node type took: the 10th, 50th and 90th percentile."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True)
class TypeStats:
    """What is stored of one node type."""

    rows: int = 0
    values: int = 0
    nbytes: int = 0


@dataclass(frozen=True, slots=True)
class Stats:
    """What a store holds. ``nbytes`` counts rows, values and overhead on disk; ``limit`` bounds it."""

    rows: int
    values: int
    nbytes: int
    limit: int
    memory_values: int
    memory_nbytes: int
    memory_limit: int
    types: dict[str, TypeStats]


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check found: values read, bytes read, and the digests of those that were dropped and why."""

    checked: int
    nbytes: int
    damaged: tuple[str, ...]
    missing: tuple[str, ...]
    strays: tuple[str, ...]

    @property
    def clean(self) -> bool:
        return not (self.damaged or self.missing or self.strays)


def type_stats(disk: Disk) -> dict[str, TypeStats]:
    """Return what is stored, by node type."""
    rows = {
        type: (count, nbytes)
        for type, count, nbytes in disk.index.read("SELECT type, count(*), sum(size) FROM rows GROUP BY type")
    }
    values = {
        type: (count, nbytes)
        for type, count, nbytes in disk.index.read("SELECT type, count(*), sum(size) FROM objects GROUP BY type")
    }
    empty = (0, 0)
    return {
        type: TypeStats(
            rows.get(type, empty)[0],
            values.get(type, empty)[0],
            rows.get(type, empty)[1] + values.get(type, empty)[1],
        )
        for type in sorted(rows.keys() | values.keys())
    }


def totals(disk: Disk) -> tuple[int, int, int]:
    """Return the number of rows, the number of values and the bytes of both."""
    found = disk.index.read("SELECT rows, (SELECT count(*) FROM objects), bytes FROM totals")
    return found[0] if found else (0, 0, 0)


def verify(disk: Disk) -> Verification:
    """Hash every value again, drop those that are damaged or missing, and files that belong to no value."""
    damaged: list[str] = []
    missing: list[str] = []
    checked = nbytes = 0
    for digest, is_inline in disk.index.read("SELECT digest, inline IS NOT NULL FROM objects WHERE writer IS NULL"):
        here = is_inline or disk.objects.exists(digest)
        found = disk.read(digest)
        checked += 1
        if found:
            nbytes += found[0].nbytes
        else:
            (damaged if here else missing).append(digest.hex())
    return Verification(checked, nbytes, tuple(damaged), tuple(missing), _drop_strays(disk))


def _drop_strays(disk: Disk) -> tuple[str, ...]:
    strays = []
    for file in disk.objects.files():
        digest = bytes.fromhex(file.name[:64]) if OBJECT.match(file.name) else b""
        found = disk.index.read("SELECT writer FROM objects WHERE digest = ?", (digest,))
        is_part = file.suffix == ".part"
        if not found or (is_part and (found[0][0] is None or is_dead(found[0][0]))):
            file.unlink(missing_ok=True)
            strays.append(file.name)
    return tuple(strays)


def clear(disk: Disk, *, before: float | None, type: str | None) -> int:
    """Forget what was last used before a time, or what one node type made, or everything. Return the bytes freed."""
    asked = {"used < ?": before, "type = ?": type}
    given = {test: value for test, value in asked.items() if value is not None}
    where, values = " AND ".join(["TRUE", *given]), list(given.values())
    with disk.index.transaction() as db:
        held = _bytes(db)
        stored = f"FROM objects WHERE writer IS NULL AND {where}"
        for (digest,) in db.execute(f"SELECT digest {stored} AND inline IS NULL", values).fetchall():
            disk.objects.drop(digest)
        db.execute(f"DELETE {stored}", values)
        db.execute(f"DELETE FROM rows WHERE {where}", values)
        if not values:
            db.execute("DELETE FROM names")
            db.execute("DELETE FROM files")
        return held - _bytes(db)


def _bytes(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT bytes FROM totals").fetchone()[0])
