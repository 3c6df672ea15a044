"""A session at work: its graph, its runs, live mode."""

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import blake3

from engine.errors import LoomisError
from engine.plan import Plan
from server.jobs.records import ENDED, JobEvent, Submission
from server.jobs.service import Jobs
from server.protocol.messages import SessionRefused, SessionStarted, SessionTaken
from server.protocol.parts import ErrorData
from server.session.live import Live, Start, Stop
from server.session.session import Aim, Change, Draft, Session
from server.session.store import SessionStore

MOST_KEPT = 100
"""Runs that have ended and are still known as this session's."""

LABEL = "session"
"""The label of the jobs of sessions."""

KEEP_SECONDS = 0.3
"""How much later than an edit a session is written to disk, with all edits meanwhile."""

LIVE_PRIORITY = 50
"""Live runs go before others: somebody waits for each of them."""

Said = SessionStarted | SessionRefused | SessionTaken


@dataclass(frozen=True, slots=True)
class Run:
    """A job of a session: what it is for, and the revision that it is of."""

    aim: Aim
    revision: int


def mark(session: str, job: str) -> str:
    """Return what tells that a job is of a session, to who knows its id. Others learn nothing of the id."""
    return blake3.blake3(f"{session} {job}".encode()).hexdigest()


class Desk:
    """One session, watched by one connection at a time. ``tell`` takes what live mode has to say to it.

    Whatever looks at the graph as a whole does so in a thread: a large graph must not hold up the others. What comes of
    it takes effect between two events of the loop.
    """

    def __init__(self, session: Session, jobs: Jobs, store: SessionStore) -> None:
        self.session = session
        self._store = store
        self._keeping: asyncio.Task[None] | None = None
        self.runs: dict[str, Run] = {}
        self.under_way: set[str] = set()
        self.tell: Callable[[Said], None] | None = None
        self._among: dict[str, Desk] = {}
        self.left_at = time.monotonic()
        self._jobs = jobs
        self._live = Live()
        self._live_targets: Sequence[str] | None = None
        self.is_live = False
        self._lock = asyncio.Lock()
        self._current: dict[str, tuple[int, bool]] = {}

    async def change(self, draft: Callable[[], Draft]) -> Change:
        """Let what ``draft`` makes be the graph; in live mode, have it run."""
        async with self._lock:
            change = self.session.take(await asyncio.to_thread(draft))
            if self._keeping is None:
                self._keeping = asyncio.create_task(self._keep_soon())
            if self.is_live:
                await self._have_run()
        return change

    async def _keep_soon(self) -> None:
        await asyncio.sleep(KEEP_SECONDS)
        self._keeping = None
        await self.keep()

    async def keep(self) -> None:
        """Write the graph to disk."""
        async with self._lock:
            await self._write()

    async def _write(self) -> None:
        session = self.session
        await asyncio.to_thread(self._store.keep, session.id, session.revision, session.version)

    async def look(self) -> Change:
        """See what changed in the memo."""
        async with self._lock:
            return self.session.changed(await asyncio.to_thread(self.session.survey))

    async def plan(self, targets: Sequence[str] | None, partial: bool) -> tuple[int, Plan]:
        """Return what a run would do, and the revision that it is of."""
        async with self._lock:
            plan = await asyncio.to_thread(self.session.plan, targets, partial=partial)
            return self.session.revision, plan

    async def run(
        self, names: Sequence[str] | None, *, partial: bool, priority: int, extra: Mapping[str, Any]
    ) -> tuple[str, int]:
        """Submit a run; return its job and the revision that it is of."""
        async with self._lock:
            targets = self.session.targets(names)
            start = Start(str(uuid.uuid4()), self.session.aim(targets), self.session.revision)
            await self._submit(start, partial=partial, priority=priority, extra=extra)
            return start.job, start.revision

    async def cancel(self) -> None:
        """Cancel what is under way."""
        async with self._lock:
            self._live.rest()
            for job in self.under_way:
                await self._jobs.cancel(job)

    async def set_live(self, on: bool, names: Sequence[str] | None) -> None:
        """Turn live mode on or off."""
        async with self._lock:
            self.session.targets(names)
            self.is_live, self._live_targets = on, names
            if on:
                await self._have_run()
            else:
                await self._do(self._live.rest())

    async def _have_run(self) -> None:
        """Have the targets of live mode run that are valid."""
        try:
            targets = self.session.targets(self._live_targets, partial=True)
        except LoomisError as error:  # a target was removed
            self._refuse(error)
            targets = ()
        if targets:
            aim = self.session.aim(targets)
            await self._do(self._live.want(aim, self.session.revision, str(uuid.uuid4())))
        else:
            await self._do(self._live.rest())

    async def _do(self, step: Start | Stop | None) -> None:
        """Do what live mode says. A run that can't be submitted has ended."""
        while step is not None:
            if isinstance(step, Stop):
                await self._jobs.cancel(step.job)
                return
            self._say(SessionStarted(session=self.session.id, revision=step.revision, job=step.job))
            try:
                await self._submit(step, partial=False, priority=LIVE_PRIORITY, extra={})
                return
            except BaseException as error:
                step = self._live.ended(step.job)
                if not isinstance(error, LoomisError):  # the client is gone, most often
                    raise
                self._refuse(error)

    def _refuse(self, error: LoomisError) -> None:
        told = ErrorData.of(error)
        self._say(SessionRefused(session=self.session.id, revision=self.session.revision, error=told))

    def _say(self, said: Said) -> None:
        if self.tell:
            self.tell(said)

    async def _submit(self, start: Start, *, partial: bool, priority: int, extra: Mapping[str, Any]) -> None:
        session = self.session
        self.adopt(start.job, start.aim, start.revision)
        saved = session.version.saved
        workflow = {"workflow": saved} if saved is not None else {}
        outputs = tuple(id for id in start.aim.targets if id in session.outputs())
        try:
            await self._jobs.submit(
                Submission(
                    session.prompt,
                    start.job,
                    targets=outputs,
                    keep=tuple(id for id in start.aim.targets if id not in outputs),
                    partial=partial,
                    priority=priority,
                    labels=(LABEL,),
                    extra={**workflow, **extra},
                    annotations={
                        "session": mark(session.id, start.job),
                        "revision": start.revision,
                        "targets": start.aim.targets,
                    },
                )
            )
        except BaseException:
            self.under_way.remove(start.job)
            raise

    def adopt(self, job: str, aim: Aim, revision: int) -> None:
        """Have a run that is under way."""
        self.runs[job] = Run(aim, revision)
        self.under_way.add(job)

    def is_current(self, job: str) -> bool:
        """Whether the graph still means what this run was started for."""
        revision, current = self._current.get(job, (0, False))
        if revision != self.session.revision:
            aim = self.runs[job].aim
            current = self.session.aim(aim.targets) == aim
            self._current[job] = self.session.revision, current
        return current

    async def hear(self, fact: JobEvent) -> None:
        """Hear what happened in a run."""
        job = fact.job or ""
        if fact.node is not None and fact.kind == "node_finished":
            self.session.went_well(fact.node)
        error = fact.data["error"] if fact.kind == "failed" else {}
        if error.get("node") in self.session.prompt:
            self.session.failed(error["node"], self.runs[job].aim, error)
        if fact.kind in ENDED:
            await self.ended(job)

    async def ended(self, job: str) -> None:
        """Hear that a run has ended; start the next one, if there is one to start."""
        async with self._lock:
            self.under_way.discard(job)
            for old in [job for job in self.runs if job not in self.under_way][:-MOST_KEPT]:
                del self.runs[old]
                self._current.pop(old, None)
            await self._do(self._live.ended(job))

    def watch(self, tell: Callable[[Said], None], among: dict[str, "Desk"]) -> None:
        """Be watched by one connection, and by no other: be ``among`` its sessions."""
        if among is not self._among:
            self._say(SessionTaken(session=self.session.id))
        self._among.pop(self.session.id, None)
        self.tell, self._among = tell, among
        among[self.session.id] = self

    async def catch_up(self) -> None:
        """Hear what happened while nobody did."""
        for job in list(self.under_way):
            known = self._jobs.find(job)
            if known is None or known.state in ENDED:
                await self.ended(job)
        await self.look()

    async def leave(self) -> None:
        """Be watched by nobody: live mode ends, other runs go on."""
        self.tell = None
        self.left_at = time.monotonic()
        await self.rest()
        await self.set_live(False, None)

    async def rest(self) -> None:
        """Write what is not written yet, and do no more of it later."""
        keeping, self._keeping = self._keeping, None
        async with self._lock:
            if keeping:
                keeping.cancel()
                await self._write()
