"""What a client may ask for. Every command gets one reply, in which ``id`` is that of the command."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from server.batches.records import BATCH_ID
from server.protocol import results
from server.protocol.edits import Edit
from server.protocol.model import Asked, Json, Name, Names, Part, RequestId

MOST_EDITS = 10_000
MOST_ROWS = 1_000_000

Format = Literal["auto", "png", "webp", "json", "safetensors"]
JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
Priority = Annotated[int, Field(ge=-100, le=100)]
Seq = Annotated[int, Field(ge=0, lt=2**63)]


class Command(Asked):
    """A request. ``result`` is the class of what the reply holds."""

    result: ClassVar[type[Part]] = results.Done

    id: RequestId


class Ping(Command):
    """Ask whether the server is there."""

    result = results.Pong
    command: Literal["ping"]


# Sessions.


class SessionOpen(Command):
    """Open a session on a workflow, or on an empty graph.

    ``workflow`` is JSON in the API format or as the editor saves it; ``data`` the bytes of a file of any kind that
    carries one. ``seed`` decides random choices in what the editor saved.
    """

    result = results.SessionData
    command: Literal["session.open"]
    workflow: Json | None = None
    data: bytes | None = None
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0


class SessionGet(Command):
    """Ask for a session as it stands. It is this connection's own from now on, and no other's."""

    result = results.SessionData
    command: Literal["session.get"]
    session: Name


class SessionEdit(Command):
    """Change the graph: all of the edits, or none when one makes no sense.

    ``base`` is the revision that they were made for. When the graph has another by now, the error is ``conflict``.
    Edits that follow each other with the same ``step`` are undone together, as those of one pull at a slider.
    """

    result = results.Edited
    command: Literal["session.edit"]
    session: Name
    edits: Annotated[list[Edit], Field(min_length=1, max_length=MOST_EDITS)]
    base: int | None = None
    step: Name | None = None


class SessionLoad(Command):
    """Put the workflow of a file in the place of the graph: as ``session.open`` reads it, as one step of undo."""

    result = results.SessionData
    command: Literal["session.load"]
    session: Name
    workflow: Json | None = None
    data: bytes | None = None
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0


class SessionUndo(Command):
    """Take the last step back. The error is ``no_step`` when there is none."""

    result = results.Edited
    command: Literal["session.undo"]
    session: Name


class SessionRedo(Command):
    """Do again what was undone last. The error is ``no_step`` when there is nothing."""

    result = results.Edited
    command: Literal["session.redo"]
    session: Name


class SessionPlan(Command):
    """Ask what a run would do, why, and for how long. ``targets`` are ids, titles or types; default: all outputs."""

    result = results.PlanData
    command: Literal["session.plan"]
    session: Name
    targets: Names | None = None
    partial: bool = False


class SessionRun(Command):
    """Run the graph as it stands, to some nodes or to all outputs.

    ``partial`` leaves out what is not valid. ``extra`` goes into the files beside the graph (``{"workflow": ...}``).
    """

    result = results.RunData
    command: Literal["session.run"]
    session: Name
    targets: Names | None = None
    partial: bool = False
    priority: Priority = 0
    extra: Json = Field(default_factory=dict)


class SessionCancel(Command):
    """Cancel every run of a session that is under way."""

    command: Literal["session.cancel"]
    session: Name


class SessionLive(Command):
    """Turn live mode on or off: after each edit that touches what ``targets`` need, they run again.

    A run that is under way for an older graph is cancelled first.
    """

    command: Literal["session.live"]
    session: Name
    on: bool
    targets: Names | None = None


class SessionClose(Command):
    """Close a session. Its runs under way are cancelled."""

    command: Literal["session.close"]
    session: Name


class ValueGet(Command):
    """Ask for a value: on an output of a node that is remembered, or by its digest.

    ``value`` is its place on the wire, ``item`` that of a picture in a batch, ``size`` bounds the longer side in
    pixels. ``auto`` sends pictures as WEBP and everything else as JSON.
    """

    result = results.ValueData
    command: Literal["value.get"]
    session: Name | None = None
    node: Name | None = None
    output: Annotated[int, Field(ge=0, lt=2**31)] | Name = 0
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    value: Annotated[int, Field(ge=0, lt=2**31)] = 0
    item: Annotated[int, Field(ge=0, lt=2**31)] = 0
    size: Annotated[int, Field(ge=1, le=16_384)] | None = None
    format: Format = "auto"


# Jobs.


class JobSubmit(Command):
    """Submit a workflow as a durable job: as ``workflow``, or as a file that carries one (``data``).

    The reply comes when it is on disk.
    ``job`` is an id of the client's own: the same id with the same content is the same job, so that a submission can be
    repeated. ``timeout`` is in seconds from now, ``priority`` higher first.
    """

    result = results.JobData
    command: Literal["job.submit"]
    workflow: Json | None = None
    data: bytes | None = None
    job: Name | None = None
    parameters: dict[Name, Any] = Field(default_factory=dict)
    targets: Names | None = None
    partial: bool = False
    priority: Priority = 0
    front: bool = False
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    labels: Annotated[list[Name], Field(max_length=100)] = Field(default_factory=list)
    owner: Name = ""
    client: Name | None = None
    extra: Json = Field(default_factory=dict)


class JobGet(Command):
    """Ask for a job as it stands."""

    result = results.JobData
    command: Literal["job.get"]
    job: Name


class JobList(Command):
    """Ask for a page of jobs, newest first. ``start`` is what their ids begin with.

    Without ``rows`` those of batches are left out.
    """

    result = results.JobsData
    command: Literal["job.list"]
    states: list[JobState] = Field(default_factory=list)
    label: Name | None = None
    owner: Name | None = None
    start: Name = ""
    rows: bool = True
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    offset: Annotated[int, Field(ge=0, lt=2**31)] = 0


class JobCancel(Command):
    """Cancel a job: one that waits at once, one that runs at its next step. One that has ended stays as it is."""

    result = results.JobData
    command: Literal["job.cancel"]
    job: Name


class JobMove(Command):
    """Give a job that waits another priority, or take it before all others of its priority."""

    result = results.JobData
    command: Literal["job.move"]
    job: Name
    priority: Priority | None = None
    front: bool = False


# Batches.

Values = list[Any] | Annotated[str, Field(max_length=100_000)]


class BatchSubmit(Command):
    """Submit a batch: a workflow and the rows of values with which it runs. The reply comes when it is on disk.

    ``rows`` are values by name; a text in place of a row says why it can't be used. ``grid`` has axes of which every
    combination runs, ``zip`` such that move together; an axis is a list or a text such as ``1..100``. ``values`` are
    those of all rows, ``out`` a pattern of names below the output folder, such as ``faces/{row}-{seed}.png``.
    ``batch_seeds`` is how many rows that differ only by seed are sampled at once. ``batch`` is an id of the client's
    own, as that of a job. What happens is told as facts whose ``job`` is this id.
    """

    result = results.BatchData
    command: Literal["batch.submit"]
    workflow: Json
    batch: Annotated[str, Field(pattern=BATCH_ID)] | None = None
    rows: Annotated[list[Json | str], Field(max_length=MOST_ROWS)] = Field(default_factory=list)
    grid: dict[Name, Values] = Field(default_factory=dict)
    zip: dict[Name, Values] = Field(default_factory=dict)
    values: dict[Name, Any] = Field(default_factory=dict)
    count: Annotated[int, Field(ge=1, le=MOST_ROWS)] = 1
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0
    batch_seeds: Annotated[int, Field(ge=1, le=1000)] = 1
    out: Name | None = None
    targets: Names | None = None
    sheet: bool = False
    priority: Priority = 0
    labels: Annotated[list[Name], Field(max_length=100)] = Field(default_factory=list)
    owner: Name = ""


class BatchGet(Command):
    """Ask for a batch as it stands."""

    result = results.BatchData
    command: Literal["batch.get"]
    batch: Name


class BatchList(Command):
    """Ask for a page of batches, newest first. ``start`` is what their ids begin with."""

    result = results.BatchesData
    command: Literal["batch.list"]
    start: Name = ""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    offset: Annotated[int, Field(ge=0, lt=2**31)] = 0


class BatchRows(Command):
    """Ask what became of the rows of a batch, by their numbers."""

    result = results.RowsData
    command: Literal["batch.rows"]
    batch: Name
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    offset: Annotated[int, Field(ge=0, lt=2**31)] = 0


class BatchCancel(Command):
    """Cancel a batch: no more rows begin, and those that run stop at their next step. What is done stays."""

    result = results.BatchData
    command: Literal["batch.cancel"]
    batch: Name


class QueueGet(Command):
    """Ask what waits and runs."""

    result = results.QueueData
    command: Literal["queue.get"]


class QueueReorder(Command):
    """Let jobs that wait take, in this order, the places that they hold now."""

    result = results.QueueData
    command: Literal["queue.reorder"]
    jobs: Names


class QueuePause(Command):
    """Start no more jobs. Running ones go on."""

    result = results.QueueData
    command: Literal["queue.pause"]


class QueueResume(Command):
    """Start jobs again."""

    result = results.QueueData
    command: Literal["queue.resume"]


class Subscribe(Command):
    """Hear what happens to jobs: those that are named, or all. It takes the place of an earlier subscription.

    With ``since``, every fact with a higher number comes first, in order and once. ``previews`` adds pictures of what
    samplers work on.
    """

    result = results.Subscribed
    command: Literal["subscribe"]
    jobs: Names | None = None
    since: Seq | None = None
    previews: bool = False


class Unsubscribe(Command):
    """Hear no more of jobs. Sessions go on telling of theirs."""

    command: Literal["unsubscribe"]


COMMANDS: tuple[type[Command], ...] = (
    Ping, SessionOpen, SessionGet, SessionEdit, SessionLoad, SessionUndo, SessionRedo, SessionPlan, SessionRun,
    SessionCancel, SessionLive, SessionClose, ValueGet, JobSubmit, JobGet, JobList, JobCancel, JobMove, BatchSubmit,
    BatchGet, BatchList, BatchRows, BatchCancel, QueueGet, QueueReorder, QueuePause, QueueResume, Subscribe,
    Unsubscribe,
)  # fmt: skip

AnyCommand = Annotated[
    Ping | SessionOpen | SessionGet | SessionEdit | SessionLoad | SessionUndo | SessionRedo | SessionPlan | SessionRun
    | SessionCancel | SessionLive | SessionClose | ValueGet | JobSubmit | JobGet | JobList | JobCancel | JobMove
    | BatchSubmit | BatchGet | BatchList | BatchRows | BatchCancel | QueueGet | QueueReorder | QueuePause | QueueResume
    | Subscribe | Unsubscribe,
    Field(discriminator="command"),
]  # fmt: skip


def command_name(kind: type[Command]) -> str:
    """Return the name that a command has on the wire."""
    name: str = kind.model_fields["command"].annotation.__args__[0]  # type: ignore[union-attr]
    return name
