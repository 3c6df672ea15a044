"""The jobs of a server: one object that every way in calls, on one event loop.

A job is on disk before its submission is acknowledged. Facts are on disk before anyone hears of them.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from engine import Engine
from engine.errors import InputError, JobConflict, JobError, NoSuchJob, WorkflowError
from engine.expander import MOST_NODES
from engine.validate import BoundGraph
from server.jobs.feed import Feed, Filter, Subscription
from server.jobs.live import LiveJobs, Over, place_text
from server.jobs.records import (
    ENDED,
    Counts,
    EventKind,
    Events,
    Fleeting,
    Job,
    JobEvent,
    Page,
    Progress,
    Submission,
)
from server.jobs.store import JobStore, Retention, Wanted
from server.jobs.submit import digest, encode, make_job, parts
from server.jobs.writer import Change, Fact
from server.refresh import refresh_packs

ENDS_OF_ROUTES = ("/cancel", "/events", "/workflow")
"""What follows the id of a job in an address. An id that ends so would be taken for another one."""

FEW_NODES = 500
"""A workflow with more nodes is encoded and checked in a thread, so that others are served meanwhile."""


class Executor(Protocol):
    """Runs the jobs of a queue."""

    def wake(self) -> None:
        """The queue or its state changed."""

    def withdrawn(self) -> AbstractAsyncContextManager[None]:
        """Have the jobs back that were handed out and not begun, and hand out none meanwhile."""

    def stop(self, id: str) -> None:
        """End a job that was handed out."""

    def look(self, previews: bool) -> None:
        """Somebody looks at previews from now on, or nobody does."""


class Jobs:
    """Submit, watch and steer jobs. ``engine`` checks and plans; it runs nothing here.

    ``executor`` is set before the first submission.
    """

    executor: Executor

    def __init__(self, engine: Engine, path: Path, retention: Retention | None = None) -> None:
        self.engine = engine
        self.store = JobStore(path, retention or Retention(), self._publish)
        self.feed = Feed(self.store.seq, self._reread, lambda previews: self.executor.look(previews))
        self.live = LiveJobs(self.store)
        self.paused = self.store.paused()
        self._asks = any(spec.foreign for spec in engine.registry)
        """Whether a check may wait for a worker, which is heard on this loop."""
        self._number = self.store.largest_number()
        self._front = 0.0
        self._submitting: dict[str, asyncio.Future[Job]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        for job in self.live.jobs.values():
            self._watch_deadline(job)

    # --- submitting ---

    async def submit(self, submission: Submission) -> Job:
        """Check a job, write it to disk and queue it. The same id with the same content is the same job.

        Raises:
            WorkflowError: what was submitted is not valid; a ValidationError lists every fault.
            InputError: the id is one that no address can name.
            JobConflict: the id belongs to a job with other content.
            StoreError: the disk is full or can't be written.
        """
        if submission.id in (".", "..") or (submission.id or "").endswith(ENDS_OF_ROUTES):
            raise InputError(
                f"A job can't be called {submission.id}.",
                input="id",
                got=submission.id,
                expected="any text but . and .. and what ends with " + ", ".join(ENDS_OF_ROUTES),
                hint="Choose another id, or leave it out.",
            )
        nodes = submission.workflow.get("nodes")
        large = len(nodes if isinstance(nodes, list) else submission.workflow) > FEW_NODES
        body = await asyncio.to_thread(encode, submission) if large else encode(submission)
        id = submission.id or str(uuid.uuid4())
        if submission.id and (known := await self._known(id, digest(body))):
            return known
        accepting = self._submitting[id] = asyncio.create_task(self._accept(submission, id, body, large))
        accepting.add_done_callback(lambda _: self._submitting.pop(id))
        return await asyncio.shield(accepting)  # what is on disk is queued, also where nobody waits for it any more

    async def _known(self, id: str, submitted: bytes) -> Job | None:
        """Return the job that has this id already, if one has."""
        while waited := self._submitting.get(id):
            await asyncio.wait([waited])
        job = self.find(id)
        if job and self.store.digest(id) != submitted:
            raise JobConflict(
                f"There is another job with the id {id}.", got=id, hint="Choose another id, or leave it out."
            )
        return job

    async def _accept(self, submission: Submission, id: str, body: bytes, large: bool) -> Job:
        bound = await self._check(submission, large)
        job = make_job(submission, id, self._numbered(submission), bound)
        fact = Fact(id, job.created, "queued", place_text(job))
        await self.store.write(Change(job, (digest(body), body), [fact]))
        self._watch_deadline(job)
        if submission.front or submission.priority or submission.number is not None:
            async with self.executor.withdrawn():
                self.live.put(job)
        else:
            self.live.put(job)
            self.executor.wake()
        return job

    async def _check(self, submission: Submission, large: bool) -> BoundGraph:
        def check() -> BoundGraph:
            if self._asks:
                refresh_packs()
            return self.engine.check(
                submission.workflow,
                submission.parameters,
                targets=submission.targets,
                values=submission.keep,
                partial=submission.partial,
            )

        saved = submission.workflow.get("nodes")
        count = len(saved) if isinstance(saved, list) else len(submission.workflow)
        if count > MOST_NODES:
            raise WorkflowError(
                "The workflow has too many nodes.",
                got=count,
                expected=f"at most {MOST_NODES}",
                hint="Make several workflows of it.",
            )
        return check() if count <= FEW_NODES and not self._asks else await asyncio.to_thread(check)

    def _numbered(self, submission: Submission) -> float:
        if submission.number is not None:
            return submission.number
        if submission.front:
            self._front = self.live.queue.front(submission.priority, self._front)
            return self._front
        self._number += 1
        return self._number

    def warn(self, id: str, message: str) -> None:
        """Have a warning told among what happens to a job."""
        body = json.dumps({"message": message, "blocks": False})
        self.store.add(Change(facts=[Fact(id, time.time(), "warned", body)]))

    # --- looking ---

    def find(self, id: str) -> Job | None:
        """Return a job, if it is known."""
        return self.live.jobs.get(id) or self.live.ending.get(id) or self.store.job(id)

    def get(self, id: str) -> Job:
        """Return a job.

        Raises:
            NoSuchJob: it isn't known, or no longer.
        """
        job = self.find(id)
        if job is None:
            raise NoSuchJob(f"There is no job {id!r}.", got=id, hint="It may be older than what the history keeps.")
        return job

    def sent(self, id: str) -> Mapping[str, bytes]:
        """Return what was sent of a job, as it was: the parts of its `Submission` by name, each as JSON.

        Raises:
            NoSuchJob: it isn't known, or no longer.
        """
        self.get(id)
        return parts(self.store.body(id))

    async def page(self, wanted: Wanted | None = None) -> Page:
        """Return jobs, of the past too. Live ones are shown as they stand on disk."""
        return await asyncio.to_thread(self.store.page, wanted or Wanted())

    def queue(self) -> Sequence[Job]:
        """Return the jobs that run, then those that wait, in the order in which they will run."""
        jobs = self.live.jobs.values()
        handed_out = [job for job in jobs if job.id not in self.live.queue]
        return [
            *sorted(handed_out, key=lambda job: (job.state != "running", -job.priority, job.number)),
            *self.live.queue,
        ]

    def open_jobs(self) -> Sequence[Job]:
        """Return the jobs whose end is not on disk: those that end now, as they were before, and the queue."""
        return [*self.live.ending.values(), *self.queue()]

    def counts(self) -> Counts:
        """Return how many jobs wait and run."""
        running = sum(job.state == "running" for job in self.live.jobs.values())
        return Counts(len(self.live.jobs) - running, running, self.paused)

    def progress(self, id: str) -> Sequence[Progress]:
        """Return how far the nodes of a running job are that have said so."""
        return list(self.live.progress.get(id, {}).values())

    @property
    def seq(self) -> int:
        """The number of the newest fact."""
        return self.store.seq

    async def events(
        self, since: int = 0, *, job: str | None = None, limit: int = 1000, kinds: Sequence[EventKind] = ()
    ) -> Events:
        """Return up to ``limit`` facts after ``since``, of one job or of all, of some kinds or of any."""
        return await asyncio.to_thread(self.store.events, since, job, limit, kinds)

    def subscribe(
        self, *, since: int | None = None, wants: Filter = lambda job: True, previews: bool = False, packs: bool = False
    ) -> Subscription:
        """Return a reader of the facts after ``since`` (None: from now on) and of progress.

        On request also of previews, and of what node packs send.
        """
        return self.feed.join(since, wants, previews, packs)

    # --- steering ---

    async def cancel(self, id: str) -> Job:
        """Cancel a job: one that waits at once; one that runs is asked to stop, and stopped after a grace period.

        A job that has ended stays as it is. Returns the job as it stands now.

        Raises:
            NoSuchJob: it isn't known, or no longer.
        """
        job = self.get(id)
        if id in self.live.queue:
            self.end(id, "cancelled")
            await self.store.flush()
        elif id in self.live.jobs:
            self.executor.stop(id)
        return self.find(id) or job

    async def move(self, id: str, *, priority: int | None = None, front: bool = False) -> Job:
        """Give a job that waits another priority, or take it before all others of its priority.

        Raises:
            JobError: it does not wait.
        """
        async with self.executor.withdrawn():
            job = self._waiting(id)
            rank = job.priority if priority is None else priority
            number = job.number
            if front:
                number = self._front = self.live.queue.front(rank, self._front)
            job = replace(job, priority=rank, number=number)
            self.live.move([job])
        await self.store.flush()
        return job

    async def reorder(self, ids: Sequence[str]) -> None:
        """Let jobs that wait take, in this order, the places that they hold now.

        Raises:
            JobError: one of them does not wait, or is named twice.
        """
        if len(set(ids)) < len(ids):
            raise JobError("A job is named twice.", got=list(ids), expected="each job once")
        async with self.executor.withdrawn():
            for id in ids:
                self._waiting(id)
            self.live.move(self.live.queue.reordered(ids))
        await self.store.flush()

    def _waiting(self, id: str) -> Job:
        """Return a job that is in the queue."""
        job = self.get(id)
        if id not in self.live.queue:
            raise JobError(
                f"The job {id} does not wait: it is {job.state}.", got=job.state, expected="a job that is queued"
            )
        return job

    async def pause(self) -> None:
        """Begin no more jobs, until `resume`. Those that run go on."""
        async with self.executor.withdrawn():
            self.paused = True
        await self.store.set_paused(True, Fact(None, time.time(), "paused"))

    async def resume(self) -> None:
        """Begin jobs again."""
        self.paused = False
        await self.store.set_paused(False, Fact(None, time.time(), "resumed"))
        self.executor.wake()

    async def files_moved(self, id: str, places: Mapping[str, str]) -> None:
        """Note where files of a job that has ended are now, where it is known still. ``places`` has new paths by those
        that they had."""
        job = self.find(id)
        if job is None:
            return
        outputs = {
            node: {**shown, "files": [_moved(file, places, self.engine.folders.output) for file in shown["files"]]}
            for node, shown in job.outputs.items()
        }
        await self.store.write(Change(replace(job, outputs=outputs)))

    async def forget(self, ids: Collection[str]) -> None:
        """Remove jobs that have ended from the history, with their facts. Others stay, and those that a batch needs."""
        await self.store.forget([id for id in ids if id not in self.live.jobs and id not in self.store.kept])

    async def close(self) -> None:
        """Write what waits and close the database."""
        for timer in self._timers.values():
            timer.cancel()
        await asyncio.to_thread(self.store.close)

    # --- what happens to jobs ---

    def end(self, id: str, over: Over, error: Mapping[str, Any] | None = None, at: float | None = None) -> None:
        """A job is over. One that was cancelled because it was late has failed."""
        if timer := self._timers.pop(id, None):
            timer.cancel()
            if over == "cancelled" and timer.when() <= asyncio.get_running_loop().time():
                over, error = "failed", _late(self.live.jobs[id]).as_dict()
        self.live.end(id, over, error, at)

    def _watch_deadline(self, job: Job) -> None:
        if job.deadline is not None:
            loop = asyncio.get_running_loop()
            self._timers[job.id] = loop.call_later(max(0.0, job.deadline - time.time()), self._overdue, job.id)

    def _overdue(self, id: str) -> None:
        if id in self.live.queue:
            self.end(id, "cancelled")
        else:
            self.executor.stop(id)

    def _publish(self, events: Sequence[JobEvent], said: Sequence[Fleeting]) -> None:
        for event in events:
            if event.kind in ENDED and event.job:
                self.live.ending.pop(event.job, None)
        self.feed.publish(events, said)

    async def _reread(self, since: int) -> Events:
        return await self.events(since)


def _moved(file: Mapping[str, Any], places: Mapping[str, str], output: Path) -> dict[str, Any]:
    """Return a file of the output folder as it is told of, at its new place."""
    if file["path"] not in places:
        return dict(file)
    path = Path(places[file["path"]]).resolve()
    below = path.parent.relative_to(output.resolve()).as_posix()
    return {**file, "filename": path.name, "subfolder": "" if below == "." else below, "path": str(path)}


def _late(job: Job) -> JobError:
    return JobError(
        "The job was not done by its deadline.",
        expected=f"done {(job.deadline or 0) - job.created:g} s after it was submitted",
        hint="Allow more time, or a higher priority.",
    )
