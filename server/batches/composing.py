"""From a submission to rows: what ``loomis batch`` does with its options, with all paths below the server's folders."""

from collections.abc import Mapping
from pathlib import Path

from engine import Engine
from engine.errors import InputError, SettingError, ValidationError
from engine.folders import check_new, inside
from server.batch.axes import Axis, axis_values
from server.batch.jobs import Batch
from server.batch.names import Names
from server.batch.pictures import Uploaded
from server.batch.request import Request, compose
from server.batch.rows import Row
from server.batches.records import SHEET, BatchSubmission, Values


def asked(engine: Engine, submission: BatchSubmission, id: str) -> Request:
    """Return what a submission asks for.

    Raises:
        SettingError: an axis or the pattern of names can't be used.
        FileError: the pattern leaves the output folder.
    """
    rows = [Row({}, fault=InputError(row)) if isinstance(row, str) else Row(row) for row in submission.rows]
    return Request(
        _names(engine.folders.output, submission.out or f"batch-{id}/{{row}}"),
        rows or [Row({})],
        _axes(submission.zip),
        _axes(submission.grid),
        submission.values,
        submission.count,
        submission.seed,
        submission.batch_seeds,
    )


def composed(engine: Engine, submission: BatchSubmission, request: Request) -> Batch:
    """Return the batch that a submission means.

    Raises:
        SettingError, WorkflowError: see ``compose``.
        FileError: a pattern names no pictures, or a file would leave the folder of the batch.
    """
    loaded = engine.load(submission.workflow, seed=submission.seed)
    if loaded.faults:
        raise ValidationError(loaded.faults)
    batch = compose(engine, loaded, request, Uploaded(engine.folders))
    for stem in batch.stems:
        if submission.sheet and f"{stem}.png".lower() == SHEET:
            raise SettingError(
                "A row can't be called as the sheet.",
                got=stem,
                expected=f"another name than {SHEET}",
                hint="Use {row}.",
            )
    check_new(request.names.root, (f"{stem}.png" for stem in batch.stems))
    return batch


def _names(output: Path, out: str) -> Names:
    """Return the pattern of names, with a root below the output folder."""
    names = Names.parse(out)
    if names.root == Path():
        raise SettingError(
            "The files of a batch need a folder of their own.", got=out, expected="FOLDER/{row}", hint="Name a folder."
        )
    return Names(inside(output, names.root.as_posix(), new=True), names.pattern, output)


def _axes(given: Mapping[str, Values]) -> list[Axis]:
    return [
        Axis(name, axis_values(name, values) if isinstance(values, str) else values) for name, values in given.items()
    ]
