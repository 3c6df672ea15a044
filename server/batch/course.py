"""The course of a batch: what is left to run, in order, and what becomes of it in names and manifest.

Who runs it, this process or the workers of a server, takes a unit, runs it as it runs any workflow, and says how it
ended.
"""

import json
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any

from engine.errors import FileError, LoomisError
from engine.formats import Loaded
from server.batch.jobs import Batch, Job
from server.batch.manifest import Manifest
from server.batch.names import file_names
from server.batch.together import join, likeness, share
from server.report import error_data

STAGING = ".batch"
"""Where the files of a row are until it is done, below the batch's own folder."""

NAMING = "naming.json"
"""In there: the names that files get now. After a kill between that and the manifest they may be replaced."""

AHEAD_SECONDS = 10.0
"""How long rows are looked at before the first runs: some thousands of them."""

RECENT = 20
"""Units from which the time that is left is told, at most."""

PACED = 2
"""Units from which it is told, at least."""


@dataclass(slots=True)
class Progress:
    """How far a batch is. ``skipped`` rows were done before.

    ``at_once`` is how many units run at once at most. So many end first and tell nothing of the pace: they load models.
    """

    total: int
    at_once: int = 1
    done: int = 0
    failed: int = 0
    skipped: int = 0
    _ended: int = 0
    _ends: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=RECENT + 1))

    def end(self, rows: int) -> None:
        """Note that a unit with so many rows ran and has ended now."""
        self._ended += 1
        if self._ended >= self.at_once:
            self._ends.append((time.monotonic(), rows))

    def count(self, state: str) -> None:
        """Note that a row came to ``done``, ``failed`` or ``skipped``."""
        setattr(self, state, getattr(self, state) + 1)

    @property
    def left(self) -> float | None:
        """Seconds until the end, at the pace of the last units. None while that is not known."""
        if len(self._ends) <= PACED:
            return None
        rows = sum(rows for _, rows in self._ends) - self._ends[0][1]
        open_rows = self.total - self.done - self.failed - self.skipped
        return (self._ends[-1][0] - self._ends[0][0]) / rows * open_rows


NOTHING: Mapping[str, Any] = MappingProxyType({})
OnRow = Callable[[Mapping[str, Any], Progress], None]
"""Gets the manifest's line about a row that ran."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What runs at once: one row, or several that are sampled together. ``note`` is for the provenance."""

    jobs: Sequence[Job]
    loaded: Loaded
    parameters: Mapping[str, Any]
    note: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """What one output node has to show: files as ``engine.api.Output`` has them, and texts."""

    files: Sequence[Mapping[str, Any]]
    texts: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Course:
    """Which rows are left, and what becomes of those that ran. Setting ``stop`` ends looking at them beforehand."""

    batch: Batch
    manifest: Manifest
    on_row: OnRow
    progress: Progress
    named: frozenset[str]
    """Names that files may have got before a kill; see `NAMING`."""
    stop: threading.Event
    targets: Collection[str] | None = None

    @classmethod
    def of(
        cls,
        batch: Batch,
        manifest: Manifest,
        on_row: OnRow,
        stop: threading.Event,
        targets: Collection[str] | None = None,
        at_once: int = 1,
    ) -> "Course":
        """Return the course of a batch that begins, or goes on with the time at which it began.

        At most ``at_once`` of its units will run at once.

        Raises:
            FileError: a new batch would take the place of a file, or of the files of another.
        """
        _check_free(batch, manifest)
        _check_same(batch, manifest)
        batch = replace(batch, time=datetime.fromisoformat(manifest.head["time"]))
        try:
            named = frozenset(json.loads((batch.names.root / STAGING / NAMING).read_bytes()))
        except (OSError, ValueError):
            named = frozenset()
        return cls(batch, manifest, on_row, Progress(len(batch.rows), at_once), named, stop, targets)

    @property
    def staging(self) -> Path:
        """The folder below which files are made."""
        return self.batch.names.root / STAGING

    def _look_ahead(self) -> set[int]:
        """Note the rows that can't run, before any does; return them, and those that were done.

        This takes a while for many rows. Those beyond it are looked at when it is their turn.
        """
        settled: set[int] = set()
        end = time.monotonic() + AHEAD_SECONDS
        for number in range(1, len(self.batch.rows) + 1):
            if self.stop.is_set() or time.monotonic() > end:
                break
            try:
                job = self.batch.check(number, self.targets)
            except LoomisError as error:
                self._failed(number, "", error_data(error))
                settled.add(number)
                continue
            if job and self.manifest.done(number, job.key, self.batch.names.root):
                self.progress.count("skipped")
                settled.add(number)
        return settled

    def units(self) -> Iterator[Unit]:
        """Yield what is left to run, each as it is asked for. Rows that can't run are noted before, or on the way."""
        waiting: dict[str, list[Job]] = {}
        settled = self._look_ahead()
        for number in range(1, len(self.batch.rows) + 1):
            if number in settled:
                continue
            try:
                job = self.batch.job(number)
            except LoomisError as error:
                self._failed(number, "", error_data(error))
                continue
            if self.manifest.done(number, job.key, self.batch.names.root):
                self.progress.count("skipped")
                continue
            like = likeness(job.prompt) if self.batch.together > 1 else None
            if like is None:
                yield self._alone(job)
                continue
            group = waiting.setdefault(like, [])
            group.append(job)
            if len(group) == self.batch.together:
                yield self._together(waiting.pop(like))
        yield from map(self._together, waiting.values())

    def _alone(self, job: Job) -> Unit:
        note = {"row": job.number, "of": len(self.batch.rows), "values": dict(job.row.values)}
        return Unit([job], job.loaded, job.parameters, note)

    def _together(self, jobs: Sequence[Job]) -> Unit:
        if len(jobs) == 1:
            return self._alone(jobs[0])
        note = {
            "rows": [job.number for job in jobs],
            "of": len(self.batch.rows),
            "values": [dict(job.row.values) for job in jobs],
            "together": len(jobs),
        }
        joined = join([job.prompt for job in jobs])
        return Unit(jobs, replace(jobs[0].loaded, prompt=joined, declarations={}), {}, note)

    def done(self, unit: Unit, shown: Sequence[Shown], seconds: float) -> Mapping[str, str]:
        """Name the files of a unit and note its rows; return where each file is that was made elsewhere.

        Raises:
            FileError: one would take the place of a file that is not the batch's; nothing is named then.
            OSError: a file is gone.
        """
        count = len(unit.jobs)
        places: dict[str, str] = {}
        shares = [list(share(each.files, count)) for each in shown]
        found = [
            [Path(file["path"]) for files in shares for file in files[place] if file["type"] == "output"]
            for place in range(count)
        ]
        named = [
            file_names(job.stem, [file.suffix for file in each]) for job, each in zip(unit.jobs, found, strict=True)
        ]
        self._claim(dict(zip(chain(*named), chain(*found), strict=True)))
        self.progress.end(count)
        for job, made, names in zip(unit.jobs, found, named, strict=True):
            self._move(made, names)
            places |= {str(path): str(self.batch.names.root / name) for path, name in zip(made, names, strict=True)}
            texts = [text for each in shown for text in each.texts]
            line = {"state": "done", "key": job.key, "values": dict(job.row.values), "files": names}
            told = {"texts": texts} if texts else {}
            more = {"together": unit.note["rows"]} if count > 1 else {}
            self._tell(job.number, {**line, **told, **more, "seconds": round(seconds / count, 3)})
        return places

    def failed(self, unit: Unit, error: Mapping[str, Any]) -> Sequence[Unit]:
        """Note that a unit failed, with the error as plain data.

        Of several rows each is to run alone instead, to tell what is wrong with it.
        """
        if len(unit.jobs) > 1:
            return [self._alone(job) for job in unit.jobs]
        self.progress.end(1)
        self._failed(unit.jobs[0].number, unit.jobs[0].key, error)
        return []

    def _claim(self, files: Mapping[str, Path]) -> None:
        """See that files may have their names, and remember that they get them."""
        for name, file in files.items():
            target = self.batch.names.root / name
            if file.exists() and target.exists() and name not in self.manifest.names and name not in self.named:
                raise _taken(target, self.batch)
        self.staging.mkdir(parents=True, exist_ok=True)
        (self.staging / NAMING).write_text(json.dumps(list(files)))

    def _move(self, files: Sequence[Path], names: Sequence[str]) -> None:
        """Give the files of a row their names. One that has it was given it before a kill."""
        for file, name in zip(files, names, strict=True):
            target = self.batch.names.root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.exists() or not target.exists():
                shutil.move(file, target)  # from the output folder, which may be on another disk

    def _failed(self, number: int, key: str, error: Mapping[str, Any]) -> None:
        row = self.batch.rows[number - 1]
        where = {"origin": row.origin} if row.origin else {}
        told = {"state": "failed", "key": key, "values": dict(row.values), **where, "files": []}
        self._tell(number, {**told, "error": error})

    def _tell(self, number: int, line: Mapping[str, Any]) -> None:
        whole = self.manifest.write(number, line)
        self.progress.count(line["state"])
        self.on_row(whole, self.progress)

    def clean(self) -> None:
        """Remove what unfinished rows left."""
        shutil.rmtree(self.staging, ignore_errors=True)


def _check_free(batch: Batch, manifest: Manifest) -> None:
    """See that a new batch takes the place of no file.

    Raises:
        FileError: it would.
    """
    taken = (batch.names.root / f"{stem}.png" for stem in batch.stems)
    there = None if manifest.rows else next((path for path in taken if path.exists()), None)
    if there:
        raise _taken(there, batch)


def _check_same(batch: Batch, manifest: Manifest) -> None:
    """See that a batch that shares no row with what was done in its folder takes the place of none of it.

    Raises:
        FileError: it would.
    """
    done = {number: line for number, line in manifest.rows.items() if line["state"] == "done"}
    numbered = enumerate(zip(batch.rows, batch.stems, strict=True), 1)
    both = [(done[number], row, stem) for number, (row, stem) in numbered if number in done]
    if any(line["values"] == json.loads(json.dumps(dict(row.values), default=str)) for line, row, _ in both):
        return
    for line, _, stem in both:
        named = file_names(stem, [PurePath(name).suffix for name in line["files"]])
        if line["files"] and named == line["files"] and (batch.names.root / named[0]).exists():
            raise FileError(
                f"{batch.names.root / named[0]} is of a batch with other rows: {_spelled(line['values'])}.",
                got=_spelled(batch.rows[line["row"] - 1].values),
                expected="rows of that batch, and others after them",
                hint=batch.names.advice(),
            )


def _spelled(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _taken(path: Path, batch: Batch) -> FileError:
    return FileError(
        f"{path} is there already, and this batch did not make it.",
        got=str(path),
        expected="free names",
        hint=batch.names.advice(),
    )
