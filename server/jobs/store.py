"""Jobs on disk: what was submitted, where each stands and the facts of its story."""

import math
import sqlite3
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from engine.errors import StoreError
from server.jobs.database import connect, migrate
from server.jobs.records import EventKind, Events, Fleeting, Job, JobEvent, JobState, Page, Pruned
from server.jobs.rows import SELECT, job_from_row
from server.jobs.writer import Change, Fact, Publish, Writer

Order: TypeAlias = Literal["created", "ended", "seconds"]

SORT_KEYS = {"created": "created", "ended": "ended", "seconds": "ended - began"}

KEEP_FACT = "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
NOTE_PRUNED = (
    "INSERT INTO facts SELECT 'pruned', max(seq) FROM events WHERE job = ? HAVING max(seq) IS NOT NULL "
    "ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)"
)
FORGET_FACTS = (NOTE_PRUNED, "DELETE FROM events WHERE job = ?")
FORGET = (
    *FORGET_FACTS,
    "DELETE FROM submissions WHERE job = ?",
    "DELETE FROM jobs WHERE id = ?",
)


FORGET_BATCH = (*FORGET_FACTS, "DELETE FROM batches WHERE id = ?")
PAST = (
    "SELECT id, ended, 0 FROM jobs WHERE ended IS NOT NULL "
    "UNION ALL SELECT id, ended, 1 FROM batches WHERE ended IS NOT NULL"
)
"""Jobs and batches that ended, and which are batches."""

IS_ROW = (
    "EXISTS (SELECT 1 FROM json_each(labels) WHERE json_each.value LIKE 'batch %' "
    "AND instr(jobs.id, substr(json_each.value, length('batch ') + 1) || '.') = 1)"
)
"""Whether a job belongs to a batch: it has its label, and its id begins with that of the batch."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of the past is kept: the newest ``jobs`` that ended, less when all jobs take more than ``nbytes``.

    A batch counts as one job. What sessions of editors take is not counted.
    """

    jobs: int = 10_000
    nbytes: int = 10**9


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs a listing has, and in which order; empty is any. ``labels`` are some that the job has, ``start`` what
    its id begins with.

    ``began`` leaves out those that ended before a worker began them; ``before`` is the id of a job, and leaves out that
    one and those that came after it. Without ``rows`` those of batches are left out.
    """

    states: tuple[JobState, ...] = ()
    owner: str | None = None
    client: str | None = None
    labels: tuple[str, ...] = ()
    order: Order = "created"
    newest: bool = True
    limit: int = 100
    offset: int = 0
    began: bool = False
    before: str | None = None
    start: str = ""
    rows: bool = True


class JobStore:
    """The database of jobs. Made and used on an event loop; reads are short, writes are grouped in a thread."""

    def __init__(self, path: Path, retention: Retention, publish: Publish) -> None:
        try:
            self.folder = path.parent
            self.folder.mkdir(parents=True, exist_ok=True)
            self._writing = connect(path)
            migrate(self._writing, path)
            self._reading = connect(path)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"The jobs in {path} can't be opened: {error}.",
                got=str(path),
                expected="a folder that can be written, with a whole database or none",
                hint="Choose another folder with --data, or move the damaged file away.",
            ) from None
        self._lock = threading.Lock()
        self._retention = retention
        self._endings = 0
        self.kept: set[str] = set()
        """Jobs that are not forgotten when they have ended: their batch has not noted them yet."""
        self._publish = publish
        (newest,) = self.rows("SELECT max(seq) FROM events")[0]
        self.seq = max(newest or 0, self._pruned())
        self._writer = Writer(self._writing, self.seq, self._committed)

    def _committed(self, events: Sequence[JobEvent], said: Sequence[Fleeting]) -> None:
        self.seq = events[-1].seq if events else self.seq
        self._publish(events, said)

    # --- writing ---

    async def write(self, change: Change) -> None:
        """Write a change and return when it is on disk.

        Raises:
            StoreError: the disk is full or can't be written.
        """
        await self._writer.write(change)

    def add(self, change: Change) -> None:
        """Write a change soon, after all that were added before."""
        self._writer.add(change)

    async def flush(self) -> None:
        """Return when everything so far is on disk.

        Raises:
            StoreError: the disk is full or can't be written.
        """
        await self.write(Change())

    async def check(self) -> None:
        """See that the disk takes a write.

        Raises:
            StoreError: it doesn't.
        """
        await self.write(Change(statements=[(KEEP_FACT, ("checked", int(time.time())))]))

    async def set_paused(self, paused: bool, fact: Fact) -> None:
        """Remember whether the queue is paused."""
        await self.write(Change(statements=[(KEEP_FACT, ("paused", int(paused)))], facts=[fact]))

    async def forget(self, ids: Sequence[str]) -> None:
        """Remove jobs that ended, with their facts."""
        await self.write(Change(statements=_forget(ids)))

    def count_ending(self) -> None:
        """Take note that a job ended; now and then, forget the oldest ones beyond what is kept."""
        self._endings += 1
        if self._endings % max(1, min(self._retention.jobs // 100, 200)) == 0:
            self.add(Change(statements=self._surplus()))

    def _surplus(self) -> list[tuple[str, Sequence[object]]]:
        """Return what removes the oldest jobs and batches that ended, as many as are too many.

        Freed pages of the file are used again.
        """
        ((ended,),) = self.rows(f"SELECT count(*) FROM ({PAST})")
        surplus = ended - self._retention.jobs
        ((pages,), (free,), (size,)) = (
            self.rows(f"PRAGMA {name}")[0] for name in ("page_count", "freelist_count", "page_size")
        )
        ((sessions,),) = self.rows("SELECT coalesce(sum(nbytes), 0) FROM sessions")
        used = (pages - free) * size - sessions
        if used > self._retention.nbytes:
            share = 1.05 - self._retention.nbytes / used
            surplus = max(surplus, math.ceil(ended * min(share, 1.0)))
        if surplus <= 0:
            return []
        most = surplus + len(self.kept)
        rows = self.rows(f"{PAST} ORDER BY ended LIMIT ?", most)
        gone = [(id, batch) for id, _, batch in rows if id not in self.kept][:surplus]
        return [(sql, (id,)) for id, batch in gone for sql in (FORGET_BATCH if batch else FORGET)]

    def close(self) -> None:
        """Write what waits and close the database."""
        self._writer.close()
        self._writing.close()
        self._reading.close()

    # --- reading ---

    def job(self, id: str) -> Job | None:
        """Return a job as it was last written."""
        rows = self.rows(f"{SELECT} WHERE id = ?", id)
        return job_from_row(rows[0]) if rows else None

    def live(self) -> list[Job]:
        """Return every job that has not ended."""
        return [job_from_row(row) for row in self.rows(f"{SELECT} WHERE state IN ('queued', 'running')")]

    def digest(self, id: str) -> bytes:
        """Return the digest of what was submitted."""
        ((digest,),) = self.rows("SELECT digest FROM submissions WHERE job = ?", id)
        return bytes(digest)

    def body(self, id: str) -> bytes:
        """Return what was submitted, as JSON."""
        ((body,),) = self.rows("SELECT body FROM submissions WHERE job = ?", id)
        return bytes(body)

    def paused(self) -> bool:
        """Whether the queue was paused."""
        return bool(self.rows("SELECT value FROM facts WHERE name = 'paused' AND value"))

    def largest_number(self) -> float:
        """Return the highest number that a job has had, of those that are kept."""
        ((largest,),) = self.rows("SELECT max(number) FROM jobs")
        return largest or 0.0

    def page(self, wanted: Wanted) -> Page:
        """Return the jobs that were asked for."""
        where, values = _where(wanted)
        direction = "DESC" if wanted.newest else "ASC"
        order = f"ORDER BY {SORT_KEYS[wanted.order]} {direction}, rowid {direction} LIMIT ? OFFSET ?"
        rows = self.rows(f"{SELECT} {where} {order}", *values, wanted.limit, wanted.offset)
        ((total,),) = self.rows(f"SELECT count(*) FROM jobs {where}", *values)
        return Page(tuple(job_from_row(row) for row in rows), total)

    def events(self, since: int, job: str | None, limit: int, kinds: Sequence[EventKind] = ()) -> Events:
        """Return up to ``limit`` facts after ``since``, of one job or of all, of some kinds or of any."""
        where, values = ("AND job = ?", [job]) if job else ("", [])
        if kinds:
            where += f" AND kind IN ({', '.join('?' * len(kinds))})"
            values += kinds
        sql = f"SELECT seq, job, node, time, kind, body FROM events WHERE seq > ? {where} ORDER BY seq LIMIT ?"
        events = tuple(JobEvent(*row) for row in self.rows(sql, since, *values, limit))
        pruned = 0 if job else self._pruned()
        return Events(events, Pruned(pruned) if since < pruned else None)

    def _pruned(self) -> int:
        """Return the highest number of a fact that is gone."""
        rows = self.rows("SELECT value FROM facts WHERE name = 'pruned'")
        return int(rows[0][0]) if rows else 0

    def rows(self, sql: str, *values: object) -> list[Any]:
        """Return what a query finds."""
        with self._lock:
            return self._reading.execute(sql, values).fetchall()


def _where(wanted: Wanted) -> tuple[str, list[object]]:
    conditions: list[str] = []
    values: list[object] = []
    if wanted.states:
        conditions.append(f"state IN ({', '.join('?' * len(wanted.states))})")
        values += wanted.states
    for column, value in (("owner", wanted.owner), ("client", wanted.client)):
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    if wanted.start:
        conditions.append("id BETWEEN ? AND ?")
        values += [wanted.start, wanted.start + chr(sys.maxunicode)]
    if not wanted.rows:
        conditions.append(f"NOT {IS_ROW}")
    if wanted.began:
        conditions.append("(began IS NOT NULL OR ended IS NULL)")
    if wanted.before is not None:
        conditions.append("(created, rowid) < (SELECT created, rowid FROM jobs WHERE id = ?)")
        values.append(wanted.before)
    for label in wanted.labels:
        conditions.append("EXISTS (SELECT 1 FROM json_each(labels) WHERE json_each.value = ?)")
        values.append(label)
    return ("WHERE " + " AND ".join(conditions) if conditions else "", values)


def _forget(ids: Sequence[str]) -> list[tuple[str, Sequence[object]]]:
    return [(sql, (id,)) for id in ids for sql in FORGET]
