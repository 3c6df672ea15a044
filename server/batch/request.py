"""What is asked of a batch, and the batch that comes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from engine import Engine
from engine.formats import Loaded
from engine.model_map import ModelMap
from server.batch.axes import Axis, check_size
from server.batch.jobs import Batch, lay_out, picture_input
from server.batch.names import Names
from server.batch.pictures import Pictures, Uploaded
from server.batch.rows import Row, read_rows


@dataclass(frozen=True, slots=True)
class Request:
    """Rows, axes that move together, axes of which every combination runs, and values for all rows.

    Each row runs ``count`` times. ``seed`` decides what the file leaves to chance. ``together`` is how many rows that
    differ only by seed are sampled at once. ``models`` take the place of those that the file names.
    """

    names: Names
    rows: Sequence[Row] = (Row({}),)
    zipped: Sequence[Axis] = ()
    grid: Sequence[Axis] = ()
    same: Mapping[str, Any] = field(default_factory=dict)
    count: int = 1
    seed: int = 0
    together: int = 1
    models: ModelMap = field(default_factory=ModelMap)

    @property
    def columns(self) -> int | None:
        """How many rows the last axis spans, where there is another to span the rows of a sheet."""
        others = len(self.rows) * self.count > 1 or bool(self.zipped) or len(self.grid) > 1
        return len(self.grid[-1].values) if self.grid and others else None


def find_rows(source: str | None, engine: Engine, loaded: Loaded) -> tuple[Sequence[Row], Path]:
    """Return the rows of a source, one without values where there is none, and where their paths start.

    Raises:
        FileError, InputError: see ``read_rows``.
    """
    if source is None:
        return [Row({})], Path.cwd()
    path = Path(source)
    return read_rows(source, picture_input(engine, loaded)), path.absolute().parent if path.is_file() else Path.cwd()


def compose(engine: Engine, loaded: Loaded, request: Request, pictures: Pictures | Uploaded) -> Batch:
    """Return the batch that a request means, submitted now.

    Raises:
        SettingError: a name has two meanings or none, two rows would have one file, or there are too many.
        WorkflowError: a name fits several inputs.
        FileError: a pattern names no pictures.
    """
    check_size(len(request.rows) * request.count, len(request.same))
    rows = [Row({**request.same, **row.values}, row.origin, row.fault) for row in request.rows]
    repeated = [row for row in rows for _ in range(request.count)]
    laid, stems, labels = lay_out(engine, loaded, repeated, request.zipped, request.grid, request.names, pictures)
    return Batch(
        engine,
        loaded,
        laid,
        stems,
        request.names,
        pictures,
        datetime.now(),
        request.seed,
        labels,
        request.together,
        request.models,
    )
