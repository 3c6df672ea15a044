"""What a batch of a server is: what was submitted, and how far it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

BatchState: TypeAlias = Literal["running", "stopped", "succeeded", "failed", "cancelled"]

SHEET = "sheet.png"

BATCH_ID = "^[A-Za-z0-9][A-Za-z0-9._-]{0,149}$"
"""What the id of a batch is: a part of the name of its folder, where it has no other."""

Values: TypeAlias = Sequence[Any] | str
"""The values of an axis: a list, or a text such as ``1..100`` or ``photos/*.png``."""


@dataclass(frozen=True, slots=True)
class BatchSubmission:
    """A batch as it is asked for, in the words of ``loomis batch``.

    ``rows`` are values by name; a text in place of a row says why it can't be used. ``grid`` has axes of which every
    combination runs, ``zip`` such that move together, ``values`` what all rows have. ``out`` is a pattern below the
    output folder; default: a folder with the id. ``priority``, ``labels`` and ``owner`` are those of its jobs.
    """

    workflow: Mapping[str, Any]
    id: str | None = None
    rows: Sequence[Mapping[str, Any] | str] = ()
    grid: Mapping[str, Values] = field(default_factory=dict)
    zip: Mapping[str, Values] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    count: int = 1
    seed: int = 0
    batch_seeds: int = 1
    out: str | None = None
    targets: Sequence[str] | None = None
    sheet: bool = False
    priority: int = 0
    labels: Sequence[str] = ()
    owner: str = ""


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """A batch as it stands. Times are Unix seconds, ``left`` is in seconds; None: nothing is known yet.

    ``folder`` is below the output folder; the files of rows, ``manifest`` and ``sheet`` are in it. ``skipped`` rows
    were done before, by an earlier batch in the same folder or before the server was started again. A batch has
    ``failed`` when a row has, or when it could not go on (``error``). It is ``stopped`` when it could not go on at the
    start of the server, which tries again at the next one.
    """

    id: str
    state: BatchState
    created: float
    folder: str
    total: int
    ended: float | None = None
    done: int = 0
    failed: int = 0
    skipped: int = 0
    left: float | None = None
    manifest: str = "manifest.jsonl"
    sheet: str | None = None
    labels: Sequence[str] = ()
    owner: str = ""
    error: Mapping[str, Any] | None = None
