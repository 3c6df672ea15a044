"""One batch at work: a few of its rows are jobs of the queue at a time, and what becomes of them is noted."""

import asyncio
import json
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from blake3 import blake3

from engine.errors import FileError, JobConflict, LoomisError, NoSuchJob, StoreError
from engine.folders import inside
from engine.provenance import picks_of
from server.batch.course import STAGING, Course, Progress, Shown, Unit
from server.batch.jobs import Batch
from server.batch.manifest import Manifest
from server.batches.records import SHEET, BatchRecord, BatchSubmission
from server.jobs.records import ENDED, BatchPart, Job, JobEvent, Submission
from server.jobs.service import Jobs
from server.jobs.writer import Change, Fact
from server.report import error_data

T = TypeVar("T")

AT_ONCE = 2
"""Jobs of one batch in the queue: so many, and so many more for each worker. Others wait behind no more than these."""


class Tending:
    """Has the rows of a batch run that are left, a few at a time, so that other jobs get their turn.

    The course of the batch works in a thread of its own: reading rows and moving files must not hold up others.
    """

    def __init__(self, record: BatchRecord, submission: BatchSubmission, jobs: Jobs, workers: int) -> None:
        self._record = record
        self.submission = submission
        self._jobs = jobs
        self._workers = workers
        self._progress = Progress(record.total)
        self._thread = ThreadPoolExecutor(1, f"batch {record.id}")
        self._waiting: dict[str, Unit] = {}
        self._again: deque[Unit] = deque()
        self._stop = threading.Event()
        self.cancelled = False

    @property
    def record(self) -> BatchRecord:
        """The batch as it stands."""
        now = self._progress
        return replace(self._record, done=now.done, failed=now.failed, skipped=now.skipped, left=now.left)

    def _tell_row(self, line: Mapping[str, Any], progress: Progress) -> None:
        """Have it known what became of a row. From any thread."""
        counts = {name: getattr(progress, name) for name in ("done", "failed", "skipped", "total", "left")}
        body = json.dumps({**line, **counts}, default=str)
        self._jobs.store.add(Change(facts=[Fact(self._record.id, time.time(), "row", body)]))

    async def open(self, batch: Batch) -> None:
        """Open the manifest.

        Raises:
            JobConflict: another batch is at work in the folder.
            FileError: the folder can't be written, or holds files that the batch would take the place of.
        """
        workflow = blake3(json.dumps(self.submission.workflow, sort_keys=True).encode()).hexdigest(16)
        path = batch.names.root / self._record.manifest
        self._course = await self._in_thread(self._opened, batch, path, workflow)
        self._progress = self._course.progress

    def _opened(self, batch: Batch, path: Path, workflow: str) -> Course:
        """Return the course of a batch over its manifest. In the thread of the batch."""
        try:
            opened = Manifest(path, batch.head(workflow), batch.names.advice())
        except StoreError as error:
            raise JobConflict(
                "Another batch is at work in the folder.", got=error.got, hint="Wait for it, or choose another `out`."
            ) from None
        drawn, taken = batch.names.root / SHEET, SHEET in opened.names
        try:
            if self.submission.sheet and (taken or (drawn.exists() and not opened.rows)):
                raise FileError(
                    f"The sheet would take the place of {SHEET}.", got=str(drawn), hint="Choose another `out`."
                )
            return Course.of(batch, opened, self._tell_row, self._stop, self.submission.targets, self._workers)
        except BaseException:
            opened.close()
            raise

    async def close(self) -> None:
        """Let what is being noted be noted, and close the manifest. May be called twice."""
        self._stop.set()
        self._jobs.store.kept -= self._waiting.keys()
        await asyncio.to_thread(self._thread.shutdown)
        self._course.manifest.close()

    async def run(self) -> None:
        """Run what is left.

        Raises:
            StoreError, FileError: a disk can't be written.
        """
        units = self._course.units()
        with self._jobs.subscribe(wants=lambda job: job in self._waiting) as feed:
            while True:
                while not self.cancelled and len(self._waiting) < AT_ONCE * (1 + self._workers):
                    unit = self._again.popleft() if self._again else await self._in_thread(next, units, None)
                    if unit is None:
                        break
                    await self._start(unit)
                if not self._waiting:
                    return
                for fact in await feed.next():
                    if isinstance(fact, JobEvent) and fact.kind in ENDED and fact.job in self._waiting:
                        await self._end(fact.job)

    async def finish(self, columns: int | None) -> str | None:
        """Remove what unfinished rows left, and draw the sheet that was asked for; return its name.

        Raises:
            FileError: it can't be drawn.
        """
        await self._in_thread(self._course.clean)
        if not self.submission.sheet:
            return None
        await self._in_thread(_draw, self._course, columns)
        return SHEET

    async def cancel(self) -> None:
        """Cancel the jobs under way and begin no more."""
        self.cancelled = True
        self._stop.set()
        await self.withdraw()

    async def withdraw(self) -> None:
        """Cancel the jobs under way. One that is still being checked is cancelled when it is queued."""
        for id in list(self._waiting):
            with suppress(NoSuchJob, StoreError):  # the disk follows when it can
                await self._jobs.cancel(id)

    def _in_thread(self, call: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, call, *args)

    async def _start(self, unit: Unit) -> None:
        """Submit a unit. One that was submitted before a restart is still the same job."""
        id = self._job_id(unit)
        self._waiting[id] = unit
        self._jobs.store.kept.add(id)
        try:
            job = await self._jobs.submit(self._job(unit, id))
        except StoreError:
            raise
        except LoomisError as error:
            await self._fail(id, error_data(error))
            self._jobs.store.kept.discard(id)
            return
        if job.state in ENDED:
            await self._end(id)
        elif self.cancelled:
            await self._jobs.cancel(id)

    def _job_id(self, unit: Unit) -> str:
        """Return an id that depends on what runs."""
        keys = "".join(job.key for job in unit.jobs)
        return f"{self._record.id}.{unit.jobs[0].number}.{blake3(keys.encode()).hexdigest(4)}"

    def _job(self, unit: Unit, id: str) -> Submission:
        asked, loaded = self.submission, unit.loaded
        alone = len(unit.jobs) == 1
        workflow: dict[str, Any] = {"prompt": unit.jobs[0].prompt if alone else loaded.prompt}
        if loaded.saved is not None:
            workflow["workflow"] = loaded.saved
        if loaded.declarations:
            workflow["loomis"] = {"parameters": loaded.loomis["parameters"]}
        picks = picks_of(loaded.diagnostics)
        output = self._jobs.engine.folders.output.resolve()
        notes = {"batch": unit.note, **({"picks": picks} if picks else {})}
        return Submission(
            workflow,
            id,
            unit.parameters,
            None if asked.targets is None else tuple(asked.targets),
            priority=asked.priority,
            labels=(*asked.labels, f"batch {self._record.id}"),
            owner=asked.owner,
            part=BatchPart(self._staging(id).resolve().relative_to(output).as_posix(), notes, loaded.source),
        )

    def _staging(self, id: str) -> Path:
        """Return where the files of a job are made. Its id is no path."""
        return inside(self._course.batch.names.root, f"{STAGING}/{blake3(id.encode()).hexdigest(16)}", hidden=True)

    async def _end(self, id: str) -> None:
        """Note what became of a job that has ended. From then on it may be forgotten."""
        try:
            await self._note(id)
        finally:
            self._jobs.store.kept.discard(id)

    async def _note(self, id: str) -> None:
        """Note a job that has ended. Those of a batch that was cancelled are neither done nor failed."""
        job = self._jobs.find(id)
        if job is None or job.state != "succeeded":
            if self.cancelled:
                del self._waiting[id]
                return
            cancelled = {"code": "cancelled", "message": "The job of this row was cancelled."}
            await self._fail(id, (job and job.error) or cancelled)
            return
        unit = self._waiting.pop(id)
        try:
            places = await self._in_thread(self._course.done, unit, _shown(job), (job.ended or 0) - (job.began or 0))
        except OSError as error:
            lost = FileError(f"The files of the job are gone: {error.strerror}.", got=error.filename)
            self._again += await self._in_thread(self._course.failed, unit, error_data(lost))
            return
        except FileError as error:
            self._again += await self._in_thread(self._course.failed, unit, error_data(error))
            return
        await self._jobs.files_moved(id, places)
        await self._in_thread(shutil.rmtree, self._staging(id), True)

    async def _fail(self, id: str, error: Mapping[str, Any]) -> None:
        """Note why a row failed. Where in a node's code that was is told by its job, not by the manifest."""
        unit = self._waiting.pop(id)
        told = {name: value for name, value in error.items() if name != "raised"}
        self._again += await self._in_thread(self._course.failed, unit, told)


def _shown(job: Job) -> Sequence[Shown]:
    return [Shown(shown["files"], shown["notes"].get("text", ())) for shown in job.outputs.values()]


def _draw(course: Course, columns: int | None) -> None:
    from server.batch.sheet import draw_sheet  # most batches draw none

    root = course.batch.names.root
    draw_sheet(root / SHEET, course.manifest.lines(len(course.batch.rows)), root, columns)
