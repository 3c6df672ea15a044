"""The batches of a server: one object that every way in calls, on the event loop of the jobs.

A batch is on disk before its submission is acknowledged. When the server was killed, it goes on at the next start: rows
that its manifest has as done are not done again, and jobs that were queued are still its own.
"""

import asyncio
import json
import logging
import shutil
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

from engine.errors import JobConflict, JobError, LoomisError, NoSuchJob, StoreError
from server.batch.course import STAGING
from server.batch.jobs import Batch
from server.batch.request import Request
from server.batches.composing import asked, composed
from server.batches.records import BatchRecord, BatchState, BatchSubmission
from server.batches.store import BatchStore
from server.batches.tending import Tending
from server.jobs.service import Jobs
from server.jobs.writer import Fact
from server.report import error_data

log = logging.getLogger("loomis.batches")

COMPOSED_AT_ONCE = 2
MOST_SUBMITTED = 16
"""Submissions that are made into batches or wait for that. One of many rows takes minutes."""

WITHDRAW_SECONDS = 60.0
"""How long a start waits for the end of jobs whose batch does not go on."""


class Batches:
    """Submit, watch and cancel batches."""

    def __init__(self, jobs: Jobs, workers: int) -> None:
        self.store = BatchStore(jobs.store)
        self._jobs = jobs
        self._workers = workers
        self._tending: dict[str, Tending] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._submitting: dict[str, asyncio.Future[None]] = {}
        self._composer = ThreadPoolExecutor(COMPOSED_AT_ONCE, "compose batches")

    async def start(self) -> None:
        """Go on with what was running when the server ended, and end what was cancelled.

        What can't go on now stops, without its jobs, until the next start.
        """
        left = [(*each, self._jobs_of(each[0].id)) for each in self.store.open()]
        for record in self.store.cancelling():
            await self._withdraw(self._jobs_of(record.id))
            staging = self._jobs.engine.folders.output / record.folder / STAGING
            await asyncio.to_thread(shutil.rmtree, staging, True)
            await self._end(record, "cancelled")
        for record, submission, jobs in left:
            tending = Tending(replace(record, state="running", error=None), submission, self._jobs, self._workers)
            try:
                request, batch = await self._composed(submission, record.id)
                await tending.open(batch)
            except LoomisError as error:
                await self._withdraw(jobs)
                ended = [job.id for id in jobs if (job := self._jobs.find(id)) and job.state != "succeeded"]
                with suppress(StoreError):
                    await self._jobs.forget(ended)
                await self._end(record, "stopped", error)
                continue
            self._go(tending, request)

    async def submit(self, submission: BatchSubmission) -> BatchRecord:
        """Check a batch, write it to disk and begin it. The same id with the same content is the same batch.

        Raises:
            WorkflowError: the workflow can't be read, or a name fits no input or several.
            SettingError, FileError: an axis, the pattern of names or a picture can't be used.
            JobConflict: the id belongs to another batch or to a job, or another batch is at work in the folder.
            StoreError: the disk is full or can't be written.
        """
        id = submission.id or str(uuid.uuid4())
        while waited := self._submitting.get(id):
            await asyncio.wait([waited])
        if known := self.find(id):
            if not self.store.is_same(id, submission):
                raise JobConflict(f"There is another batch with the id {id}.", got=id, hint="Choose another id.")
            return known
        if self._jobs.find(id):
            raise JobConflict(f"There is a job with the id {id}.", got=id, hint="Choose another id.")
        if len(self._submitting) >= MOST_SUBMITTED:
            raise JobConflict(
                f"{len(self._submitting)} batches are being made.", expected="fewer", hint="Try again in a while."
            )
        future = self._submitting[id] = asyncio.get_running_loop().create_future()
        try:
            return await self._accept(submission, id)
        finally:
            del self._submitting[id]
            future.set_result(None)

    async def _accept(self, submission: BatchSubmission, id: str) -> BatchRecord:
        """Make a batch of a submission, which may take a while, and begin it."""
        request, batch = await self._composed(submission, id)
        folder = batch.names.root.relative_to(self._jobs.engine.folders.output).as_posix()
        now, labels = time.time(), tuple(submission.labels)
        record = BatchRecord(id, "running", now, folder, len(batch.rows), labels=labels, owner=submission.owner)
        tending = Tending(record, submission, self._jobs, self._workers)
        await tending.open(batch)
        try:
            await self.store.add(record, submission)
        except BaseException:
            await tending.close()
            raise
        self._go(tending, request)
        return tending.record

    def find(self, id: str) -> BatchRecord | None:
        """Return a batch, if it is known."""
        return self._tending[id].record if id in self._tending else self.store.find(id)

    def get(self, id: str) -> BatchRecord:
        """Return a batch as it stands.

        Raises:
            NoSuchJob: it isn't known.
        """
        found = self.find(id)
        if found is None:
            raise NoSuchJob(f"There is no batch {id!r}.", got=id, hint="It may have been removed.")
        return found

    async def page(self, limit: int = 100, offset: int = 0, start: str = "") -> tuple[list[BatchRecord], int]:
        """Return batches whose ids begin with ``start``, newest first, and how many there are in all."""
        found, total = await asyncio.to_thread(self.store.page, limit, offset, start)
        return [self.find(record.id) or record for record in found], total

    async def lines(self, id: str, limit: int, offset: int) -> list[dict[str, Any]]:
        """Return the lines of the manifest about some rows, by their numbers; none of a row that has not ended."""
        record = self.get(id)
        path = self._jobs.engine.folders.output / record.folder / record.manifest

        def read() -> list[dict[str, Any]]:
            rows: dict[int, dict[str, Any]] = {}
            with suppress(OSError):
                for line in path.read_bytes().splitlines()[1:]:
                    with suppress(ValueError):
                        found = json.loads(line)
                        rows[found["row"]] = found
            wanted = range(offset + 1, min(offset + limit, record.total) + 1)
            return [rows[number] for number in wanted if number in rows]

        return await asyncio.to_thread(read)

    async def cancel(self, id: str) -> BatchRecord:
        """Cancel a batch: no more rows begin, and those that run are asked to stop. What is done stays.

        Raises:
            NoSuchJob: it isn't known.
            StoreError: the disk is full or can't be written.
        """
        record = self.get(id)
        if record.ended is None:
            await self.store.cancel(id)
        if id in self._tending:
            await self._tending[id].cancel()
        elif (stopped := self.get(id)).ended is None:
            await self._end(stopped, "cancelled")
        return self.find(id) or record

    async def forget(self, id: str) -> None:
        """Remove a batch that has ended, with its facts. Its files stay, and its jobs in their history.

        Raises:
            NoSuchJob: it isn't known.
            JobError: it has not ended.
        """
        if self.get(id).state == "running":
            raise JobError(f"The batch {id} has not ended.", got="running", hint="Cancel it first.")
        await self.store.forget(id)

    async def close(self) -> None:
        """Leave what runs to the next start."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for tending in self._tending.values():
            await tending.close()
        self._composer.shutdown(wait=False, cancel_futures=True)

    async def _composed(self, submission: BatchSubmission, id: str) -> tuple[Request, Batch]:
        """Make a batch of a submission, in a thread that does nothing else: many rows take long."""

        def compose() -> tuple[Request, Batch]:
            request = asked(self._jobs.engine, submission, id)
            return request, composed(self._jobs.engine, submission, request)

        return await asyncio.get_running_loop().run_in_executor(self._composer, compose)

    def _go(self, tending: Tending, request: Request) -> None:
        id = tending.record.id
        self._tending[id] = tending
        self._tasks[id] = asyncio.create_task(self._tend(tending, request), name=f"batch {id}")

    async def _tend(self, tending: Tending, request: Request) -> None:
        """Run a batch to its end and write how it ended."""
        told: LoomisError | None = None
        sheet = None
        try:
            await tending.run()
            sheet = await tending.finish(request.columns)
        except LoomisError as error:
            told = error
        except Exception as error:  # a mistake of ours costs one batch, not the server
            log.exception("The batch %s failed.", tending.record.id)
            told = LoomisError(f"Loomis made a mistake: {type(error).__name__}: {error}")
        if told:
            await tending.withdraw()
        await tending.close()
        record = replace(tending.record, sheet=sheet)
        state: BatchState = "failed" if told or record.failed else "succeeded"
        await self._end(record, "cancelled" if tending.cancelled else state, told)
        del self._tending[record.id], self._tasks[record.id]

    def _jobs_of(self, id: str) -> list[str]:
        """Return the jobs of a batch that have not ended."""
        return [job.id for job in self._jobs.queue() if f"batch {id}" in job.labels and job.id.startswith(f"{id}.")]

    async def _withdraw(self, jobs: Sequence[str]) -> None:
        """Cancel jobs and wait for their end, within bounds: a disk may be full."""
        with suppress(StoreError, TimeoutError), self._jobs.subscribe(wants=lambda job: job in jobs) as feed:
            async with asyncio.timeout(WITHDRAW_SECONDS):
                for id in jobs:
                    with suppress(NoSuchJob):
                        await self._jobs.cancel(id)
                while any(job.id in jobs for job in self._jobs.open_jobs()):
                    await feed.next()

    async def _end(self, record: BatchRecord, state: BatchState, error: LoomisError | None = None) -> None:
        told, now = error_data(error) if error else None, time.time()
        record = replace(record, state=state, ended=None if state == "stopped" else now, left=None, error=told)
        names = ("state", "error", "done", "failed", "skipped", "total")
        fact = Fact(record.id, now, "batch_ended", json.dumps({name: getattr(record, name) for name in names}))
        with suppress(StoreError):  # the log of jobs tells of it, and the next start goes on
            await self.store.end(record, fact)
