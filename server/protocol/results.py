"""What the replies to commands hold."""

from typing import Any, Literal

from pydantic import Field

from server.protocol.model import Json, Part
from server.protocol.parts import DiagnosticData, ErrorData, FaultData, NodeData


class Done(Part):
    """It is done; there is nothing more to say."""


class Pong(Part):
    """The time of the server in Unix seconds."""

    time: float


class RunData(Part):
    """A run that a session started, and the revision that it is of."""

    job: str
    revision: int


class SessionData(Part):
    """A session as it stands. ``graph`` is in the API format, ``nodes`` has the state of each node.

    ``undo`` and ``redo`` are how many steps there are.
    """

    session: str
    revision: int
    graph: Json
    nodes: dict[str, NodeData]
    undo: int = 0
    redo: int = 0
    diagnostics: tuple[DiagnosticData, ...] = ()
    live: bool = False
    runs: tuple[RunData, ...] = ()


class Edited(Part):
    """What an edit changed: states that are other than before, nodes that are gone, ids that new nodes got.

    ``graph`` has the nodes that are written otherwise than before, as they are now. ``undo`` and ``redo`` are how many
    steps there are.
    """

    revision: int
    nodes: dict[str, NodeData]
    graph: Json
    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    undo: int = 0
    redo: int = 0


class StepData(Part):
    """What a run would do with one node, why, and for how many seconds (lowest, highest)."""

    type: str
    state: Literal["remembered", "runs", "depends"]
    why: str
    seconds: tuple[float, float]


class PlanData(Part):
    """What a run would do: the steps by node, sources first, and the seconds of work in all."""

    revision: int
    steps: dict[str, StepData]
    seconds: tuple[float, float]


class ValueData(Part):
    """What was sent of a value. The bytes are the ``data`` of the reply, unless ``value`` holds the JSON.

    ``values`` is how many values are on the output, ``items`` how many pictures are in this one (0: it is no picture).
    """

    digest: str
    format: Literal["png", "webp", "json", "safetensors"]
    revision: int | None = None
    values: int | None = None
    items: int = 0
    value: Any = None


class JobData(Part):
    """A job as it stands. Times are Unix seconds.

    ``outputs`` has, per output node, ``{"files": [...], "notes": {...}}``: of a running job those that are there.
    """

    id: str
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    priority: int
    number: float
    created: float
    began: float | None = None
    ended: float | None = None
    deadline: float | None = None
    attempts: int = 0
    deaths: int = 0
    targets: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    owner: str = ""
    client: str | None = None
    worker: str | None = None
    faults: tuple[FaultData, ...] = ()
    outputs: Json = Field(default_factory=dict)
    error: ErrorData | None = None


class JobsData(Part):
    """A page of jobs, and how many there are in all."""

    jobs: tuple[JobData, ...]
    total: int
    seq: int


class BatchData(Part):
    """A batch as it stands. Times are Unix seconds, ``left`` is in seconds; null: nothing is known yet.

    ``folder`` is below the output folder; the files of rows, ``manifest`` and ``sheet`` are in it. ``skipped`` rows
    were done before. A batch is ``stopped`` when the server could not go on with it (``error``); it tries again at
    its next start.
    """

    id: str
    state: Literal["running", "stopped", "succeeded", "failed", "cancelled"]
    created: float
    ended: float | None = None
    folder: str
    total: int
    done: int = 0
    failed: int = 0
    skipped: int = 0
    left: float | None = None
    manifest: str
    sheet: str | None = None
    labels: tuple[str, ...] = ()
    owner: str = ""
    error: ErrorData | None = None


class BatchesData(Part):
    """A page of batches, and how many there are in all."""

    batches: tuple[BatchData, ...]
    total: int


class RowsData(Part):
    """The lines of the manifest about some rows that have ended, and how many rows there are in all.

    A line has ``row``, ``state``, ``values``, ``files``, and ``seconds`` or ``error``.
    """

    rows: tuple[Json, ...]
    total: int


class QueueData(Part):
    """How many jobs wait and run, and whether the queue is paused. ``order`` are the ids, running ones first."""

    queued: int
    running: int
    paused: bool
    order: tuple[str, ...]


class Subscribed(Part):
    """Facts with higher numbers than ``seq`` follow."""

    seq: int
