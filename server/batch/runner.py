"""Run the rows of a batch in this process, one after the other, and note each in the manifest."""

import shutil
import threading
from collections.abc import Callable, Sequence

from engine.errors import Cancelled, FileError, LoomisError
from engine.events import Event
from server.batch.course import Course, OnRow, Progress, Shown, Unit
from server.batch.jobs import Batch
from server.batch.manifest import Manifest
from server.report import error_data


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

    Rows that can't run are noted before the first runs.

    ``on_row`` gets the manifest's line about each row that ran.

    Raises:
        Cancelled: it was stopped; the same call goes on from there.
        FileError: the folder of the batch can't be written.
    """
    stopped = cancel or threading.Event()
    course = Course.of(batch, manifest, on_row, stopped, targets)

    def run(unit: Unit) -> None:
        if stopped.is_set():
            raise Cancelled("The batch was cancelled.")
        shutil.rmtree(course.staging, ignore_errors=True)
        try:
            result = batch.engine.run(
                unit.loaded,
                unit.parameters,
                targets=targets,
                output=course.staging / str(unit.jobs[0].number),
                notes={"batch": unit.note},
                on_event=on_event,
                cancel=stopped,
            )
            shown = [Shown(each.files, each.notes.get("text", ())) for each in result.outputs.values()]
            course.done(unit, shown, result.seconds)
        except Cancelled:
            raise
        except FileNotFoundError as error:
            lost = FileError(f"The files of the row are gone: {error.strerror}.", got=error.filename)
            for alone in course.failed(unit, error_data(lost)):
                run(alone)
        except LoomisError as error:
            for alone in course.failed(unit, error_data(error)):
                run(alone)

    try:
        for unit in course.units():
            run(unit)
    finally:
        course.clean()
    return course.progress
