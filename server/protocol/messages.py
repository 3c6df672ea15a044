"""What the server sends: replies to commands, and events."""

from typing import Annotated, Literal

from pydantic import Field

from server.protocol.model import Json, Part, RequestId
from server.protocol.parts import ErrorData, NodeData
from server.protocol.results import JobData

FactKind = Literal[
    "queued", "moved", "began", "requeued", "succeeded", "failed", "cancelled",
    "planned", "node_started", "node_finished", "remembered", "saved", "warned",
    "paused", "resumed",
    "row", "batch_ended",
]  # fmt: skip
ENDS: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})
"""The facts with which a job ends."""


class Hello(Part):
    """The first message of a connection. ``seq`` is the number of the newest fact; sizes are in bytes.

    ``heartbeat`` is after how many seconds without a message one comes to say that the server is there.
    """

    event: Literal["hello"] = "hello"
    protocol: Literal[1] = 1
    server: str
    seq: int
    heartbeat: float
    largest_message: int


class Reply(Part):
    """What came of a command that went well. ``data`` are the bytes of a value."""

    event: Literal["reply"] = "reply"
    id: RequestId
    result: Json
    data: bytes | None = None


class Refused(Part):
    """What was wrong with a command; nothing was changed. ``id`` is null where it could not be read."""

    event: Literal["error"] = "error"
    id: RequestId | None
    error: ErrorData


class Heartbeat(Part):
    """The server is there. ``seq`` is the number of the newest fact."""

    event: Literal["heartbeat"] = "heartbeat"
    seq: int


class Fact(Part):
    """Something that happened to a job and is on disk. ``seq`` counts up over all jobs; ``body`` depends on ``kind``.

    Of a batch, ``job`` is its id: ``row`` for each row that ran, ``batch_ended`` at its end.

    Of a job that a session of this connection runs, ``session`` and ``revision`` say which and of what, and ``current``
    whether the graph still means the same.
    """

    event: Literal["fact"] = "fact"
    seq: int
    job: str | None
    node: str | None = None
    time: float
    kind: FactKind
    body: Json
    session: str | None = None
    revision: int | None = None
    current: bool | None = None


class Progress(Part):
    """How far a node of a job is, and a word on its last step, such as a loss.

    Only the newest of each node is sent to a client that is slow.
    """

    event: Literal["progress"] = "progress"
    job: str
    node: str
    value: int
    maximum: int
    note: str = ""
    session: str | None = None
    revision: int | None = None


class Preview(Part):
    """What a node of a job works on: ``data`` is a JPEG or PNG."""

    event: Literal["preview"] = "preview"
    job: str
    node: str
    session: str | None = None
    revision: int | None = None
    data: bytes = Field(repr=False)


class SessionChanged(Part):
    """States of nodes that are other than before, as a run went on or the graph was changed elsewhere."""

    event: Literal["session.changed"] = "session.changed"
    session: str
    revision: int
    nodes: dict[str, NodeData]
    removed: tuple[str, ...] = ()


class SessionTaken(Part):
    """Another connection took the session: this one hears no more of it, and may not change it."""

    event: Literal["session.taken"] = "session.taken"
    session: str


class SessionStarted(Part):
    """Live mode started a run of this revision. It comes before everything that is told of the job."""

    event: Literal["session.started"] = "session.started"
    session: str
    revision: int
    job: str


class SessionRefused(Part):
    """Live mode could not start a run of this revision."""

    event: Literal["session.refused"] = "session.refused"
    session: str
    revision: int
    error: ErrorData


class Pruned(Part):
    """Facts up to ``seq`` are gone that were asked for. ``jobs`` is what runs and waits instead; facts go on after."""

    event: Literal["pruned"] = "pruned"
    seq: int
    jobs: tuple[JobData, ...]


Message = (
    Hello | Reply | Refused | Heartbeat | Fact | Progress | Preview | SessionChanged | SessionTaken | SessionStarted
    | SessionRefused | Pruned
)  # fmt: skip
AnyMessage = Annotated[Message, Field(discriminator="event")]
MESSAGES: tuple[type[Part], ...] = Message.__args__
