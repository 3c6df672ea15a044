"""Run the rows of a batch, one after the other, and note each in the manifest."""

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engine.api import Result
from engine.errors import Cancelled, FileError, LoomisError
from engine.events import Event
from engine.formats import Loaded
from server.batch.jobs import Batch, Job
from server.batch.manifest import Manifest
from server.batch.names import file_names
from server.batch.together import join, likeness, share
from server.report import error_data

STAGING = ".batch"
"""Where the files of a row are until it is done, below the batch's own folder."""

RECENT = 20
"""Rows from which the time that is left is told."""


@dataclass(slots=True)
class Progress:
    """How far a batch is. ``skipped`` rows were done before; ``left`` is in seconds, None while nothing is known."""

    total: int
    done: int = 0
    failed: int = 0
    skipped: int = 0
    _times: deque[float] = field(default_factory=lambda: deque([time.monotonic()], RECENT + 1))

    def count(self, state: str, rows: int = 1) -> None:
        """Note that so many rows came to ``done``, ``failed`` or ``skipped``."""
        setattr(self, state, getattr(self, state) + rows)
        if state != "skipped":
            self._times.extend([time.monotonic()] * rows)

    @property
    def left(self) -> float | None:
        """Seconds until the end, at the pace of the last rows."""
        rows = len(self._times) - 1
        open_rows = self.total - self.done - self.failed - self.skipped
        return (self._times[-1] - self._times[0]) / rows * open_rows if rows else None


NOTHING: Mapping[str, Any] = MappingProxyType({})
OnRow = Callable[[Mapping[str, Any], Progress], None]


def run_batch(
    batch: Batch,
    manifest: Manifest,
    *,
    on_row: OnRow = lambda line, progress: None,
    on_event: Callable[[Event], None] = lambda event: None,
    cancel: threading.Event | None = None,
    targets: Sequence[str] | None = None,
) -> Progress:
    """Run every row that the manifest does not have as done. A row that fails is noted, and the rest goes on.

    ``on_row`` gets the manifest's line about each row that ran.

    Raises:
        Cancelled: it was stopped; the same call goes on from there.
        FileError: the folder of the batch can't be written.
    """
    batch = replace(batch, time=datetime.fromisoformat(manifest.head["time"]))
    progress = Progress(len(batch.rows))
    runner = _Runner(batch, manifest, on_row, on_event, cancel or threading.Event(), targets, progress)
    _check_free(batch, manifest)
    try:
        for number in range(1, len(batch.rows) + 1):
            runner.row(number)
        runner.rest()
    finally:
        shutil.rmtree(batch.names.root / STAGING, ignore_errors=True)
    return progress


def _check_free(batch: Batch, manifest: Manifest) -> None:
    """See that a new batch takes the place of no file.

    Raises:
        FileError: it would.
    """
    taken = (batch.names.root / f"{stem}.png" for stem in batch.stems)
    there = None if manifest.rows else next((path for path in taken if path.exists()), None)
    if there:
        raise FileError(
            f"{there} is there already, and no batch made it.",
            got=str(there),
            expected="free names",
            hint="Choose another --out, or move it away.",
        )


@dataclass(frozen=True, slots=True)
class _Runner:
    batch: Batch
    manifest: Manifest
    on_row: OnRow
    on_event: Callable[[Event], None]
    cancel: threading.Event
    targets: Sequence[str] | None
    progress: Progress
    waiting: dict[str, list[Job]] = field(default_factory=dict)
    """Rows that wait for others like them."""

    def row(self, number: int) -> None:
        """Run one row, unless it is done, or let it wait for others that are sampled together with it."""
        if self.cancel.is_set():
            raise Cancelled("The batch was cancelled.")
        try:
            job = self.batch.job(number)
        except LoomisError as error:
            self._failed(number, "", error)
            return
        if self.manifest.done(number, job.key, self.batch.names.root):
            self.progress.count("skipped")
            return
        like = likeness(job.prompt) if self.batch.together > 1 else None
        if like is None:
            self._alone(job)
            return
        group = self.waiting.setdefault(like, [])
        group.append(job)
        if len(group) == self.batch.together:
            self._together(self.waiting.pop(like))

    def rest(self) -> None:
        """Run the rows that still wait."""
        while self.waiting:
            self._together(self.waiting.pop(next(iter(self.waiting))))

    def _alone(self, job: Job) -> None:
        values = dict(job.row.values)
        note = {"row": job.number, "of": len(self.batch.rows), "values": values}
        try:
            result = self._run(job, job.loaded, job.parameters, note)
            self._done(job, [shown.files for shown in result.outputs.values()], result)
        except Cancelled:
            raise
        except LoomisError as error:
            self._failed(job.number, job.key, error)

    def _together(self, jobs: Sequence[Job]) -> None:
        """Sample rows at once. When that fails, each runs alone and tells what is wrong with it."""
        if len(jobs) == 1:
            self._alone(jobs[0])
            return
        note = {
            "rows": [job.number for job in jobs],
            "of": len(self.batch.rows),
            "values": [dict(job.row.values) for job in jobs],
            "together": len(jobs),
        }
        first = jobs[0]
        loaded = replace(first.loaded, prompt=join([job.prompt for job in jobs]), declarations={})
        try:
            result = self._run(first, loaded, {}, note)
        except Cancelled:
            raise
        except LoomisError:
            for job in jobs:
                self._alone(job)
            return
        shared = zip(*(share(shown.files, len(jobs)) for shown in result.outputs.values()), strict=True)
        for job, files in zip(jobs, shared, strict=True):
            self._done(job, files, replace(result, seconds=result.seconds / len(jobs)), {"together": note["rows"]})

    def _run(self, job: Job, loaded: Loaded, parameters: Mapping[str, Any], note: Mapping[str, Any]) -> Result:
        if self.cancel.is_set():
            raise Cancelled("The batch was cancelled.")
        return self.batch.engine.run(
            loaded,
            parameters,
            targets=self.targets,
            output=self._staging(job.number),
            notes={"batch": note},
            on_event=self.on_event,
            cancel=self.cancel,
        )

    def _staging(self, number: int) -> Path:
        """Return an empty place for the files of a run."""
        folder = self.batch.names.root / STAGING
        shutil.rmtree(folder, ignore_errors=True)
        return folder / str(number)

    def _done(
        self, job: Job, shown: Sequence[Sequence[Mapping[str, Any]]], result: Result, more: Mapping[str, Any] = NOTHING
    ) -> None:
        """Name a row's files, which are listed by output node, and note the row."""
        files = [Path(file["path"]) for files in shown for file in files if file["type"] == "output"]
        texts = [text for shown in result.outputs.values() for text in shown.notes.get("text", ())]
        names = self._moved(job, files)
        line = {"state": "done", "key": job.key, "values": dict(job.row.values), "files": names}
        told = {"texts": texts} if texts else {}
        self._tell(job.number, {**line, **told, **more, "seconds": round(result.seconds, 3)})

    def _moved(self, job: Job, files: Sequence[Path]) -> list[str]:
        """Give the files of a row their names."""
        names = file_names(job.stem, [file.suffix for file in files])
        for file, name in zip(files, names, strict=True):
            target = self.batch.names.root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
        return names

    def _failed(self, number: int, key: str, error: LoomisError) -> None:
        row = self.batch.rows[number - 1]
        where = {"origin": row.origin} if row.origin else {}
        told = {"state": "failed", "key": key, "values": dict(row.values), **where, "files": []}
        self._tell(number, {**told, "error": error_data(error)})

    def _tell(self, number: int, line: Mapping[str, Any]) -> None:
        whole = self.manifest.write(number, line)
        self.progress.count(line["state"])
        self.on_row(whole, self.progress)
