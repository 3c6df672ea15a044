"""The thread that writes jobs to the database: what comes in while one group is written is the next group.

What nobody waits for is written a few milliseconds later, with more of its kind.
"""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from engine.errors import StoreError
from server.jobs.records import EventKind, Fleeting, Job, JobEvent, PackEvent
from server.jobs.rows import UPSERT, job_to_row

log = logging.getLogger("loomis.jobs")

RETRY_SECONDS = 1.0
GATHER_SECONDS = 0.004
"""How long a group that nobody waits for is added to."""

Publish: TypeAlias = Callable[[Sequence[JobEvent], Sequence[Fleeting]], None]
"""Gets, on the event loop, the facts of a group that is written, and what was said meanwhile."""


@dataclass(frozen=True, slots=True)
class Fact:
    """An event that has no number yet."""

    job: str | None
    time: float
    kind: EventKind
    body: str = "{}"
    node: str | None = None


@dataclass(slots=True)
class Change:
    """What is written together: a job as it stands now, what was submitted, facts, and other statements.

    A change that somebody waits for fails when the disk does; any other is tried again until it is written. ``said`` is
    not written: it waits in line so that it is heard after the facts before it.
    """

    job: Job | None = None
    submission: tuple[bytes, bytes] | None = None
    facts: Sequence[Fact] = ()
    statements: Sequence[tuple[str, Sequence[object]]] = ()
    said: Sequence[Fleeting] = ()
    written: "asyncio.Future[None] | None" = field(default=None, repr=False)


class Writer:
    """Writes changes in their order, in groups."""

    def __init__(self, connection: sqlite3.Connection, seq: int, publish: Publish) -> None:
        self.seq = seq
        self._connection = connection
        self._publish = publish
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Change] = []
        self._urgent = False
        self._condition = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="loomis-jobs", daemon=True)
        self._thread.start()

    def add(self, change: Change) -> None:
        """Write a change soon, after all that were added before."""
        with self._condition:
            self._waiting.append(change)
            urgent = change.written is not None and not self._urgent
            self._urgent = self._urgent or urgent
            if urgent or len(self._waiting) == 1:
                self._condition.notify()

    async def write(self, change: Change) -> None:
        """Write a change and return when it is on disk.

        Raises:
            StoreError: the disk is full or can't be written.
        """
        change.written = self._loop.create_future()
        self.add(change)
        await change.written

    def close(self) -> None:
        """Write what waits and end the thread."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        while group := self._next():
            try:
                events, said = self._commit(group)
            except sqlite3.Error as error:
                self._failed(group, error)
                continue
            self._tell(self._done, group, events, said)

    def _next(self) -> list[Change]:
        with self._condition:
            self._condition.wait_for(lambda: self._waiting or self._closing)
            self._condition.wait_for(lambda: self._urgent or self._closing, GATHER_SECONDS)
            group, self._waiting, self._urgent = self._waiting, [], False
            return group

    def _commit(self, group: Sequence[Change]) -> tuple[list[JobEvent], list[Fleeting]]:
        """Write a group as one transaction. Of a job that changed several times, the last state counts."""
        events: list[JobEvent] = []
        said: list[Fleeting] = []
        seq = self.seq
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        try:
            jobs = {change.job.id: change.job for change in group if change.job}
            self._connection.executemany(UPSERT, [job_to_row(job) for job in jobs.values()])
            for change in group:
                if change.submission and change.job:
                    run("INSERT INTO submissions VALUES (?, ?, ?)", (change.job.id, *change.submission))
                for sql, values in change.statements:
                    run(sql, values)
                for fact in change.facts:
                    seq += 1
                    events.append(JobEvent(seq, fact.job, fact.node, fact.time, fact.kind, fact.body))
                said += [replace(each, after=seq) if isinstance(each, PackEvent) else each for each in change.said]
            rows = [(each.seq, each.job, each.node, each.time, each.kind, each.body) for each in events]
            self._connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", rows)
            run("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                run("ROLLBACK")
            raise
        self.seq = seq
        return events, said

    def _failed(self, group: Sequence[Change], error: sqlite3.Error) -> None:
        """Refuse what may be refused, and try the rest again a little later."""
        log.error("Jobs can't be written to disk: %s", error)
        self._tell(self._refuse, [change for change in group if change.written], error)
        with self._condition:
            self._waiting = [change for change in group if not change.written] + self._waiting
            if self._closing:
                self._waiting = []
        time.sleep(RETRY_SECONDS)

    def _tell(self, call: Callable[..., None], *args: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *args)

    def _done(self, group: Sequence[Change], events: Sequence[JobEvent], said: Sequence[Fleeting]) -> None:
        for change in group:
            if change.written and not change.written.done():
                change.written.set_result(None)
        if events or said:
            self._publish(events, said)

    def _refuse(self, group: Sequence[Change], error: sqlite3.Error) -> None:
        for change in group:
            if change.written and not change.written.done():
                change.written.set_exception(
                    StoreError(f"The job can't be written to disk: {error}.", hint="Make room on the disk, then retry.")
                )
