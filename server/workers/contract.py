"""What a server and its workers say to each other: orders one way, reports the other. Plain data, so that any carrier
can take it: a queue in this process, a pipe to another, an actor on another host.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, BinaryIO, Literal, Protocol, TypeAlias

import msgpack

from engine.errors import LoomisError
from server.jobs.records import EventKind
from server.workers.heartbeat import Activity

LARGEST = 256 * 2**20
"""Bytes of one batch at most: a workflow with a large document beside it, or a preview."""

Outcome: TypeAlias = Literal["succeeded", "failed", "cancelled", "parked"]


@dataclass(frozen=True, slots=True)
class Run:
    """Run a job after those that are there already. ``body`` is what was submitted, as JSON."""

    job: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Stop:
    """Cancel a job, begun or not."""

    job: str


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Return the jobs that were not begun."""


@dataclass(frozen=True, slots=True)
class Park:
    """Stop the running job between two nodes and return the others."""


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody looks at previews from now on, or nobody does."""

    previews: bool


@dataclass(frozen=True, slots=True)
class Free:
    """Let go of memory before the next job: see ``Engine.free``."""

    models: bool
    values: bool


@dataclass(frozen=True, slots=True)
class Ping:
    """Show that you hear. The answer is `Pong`."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask something of the code of node packs; the answer is `Answered` with this ``id``.

    ``body`` is the byte form of a list: what `server.workers.asked` takes for ``what``.
    """

    id: int
    what: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """End. What runs is cancelled."""


Order: TypeAlias = Run | Stop | GiveBack | Park | Look | Free | Ping | Ask | Close


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker takes orders."""

    pid: int


@dataclass(frozen=True, slots=True)
class Pong:
    """The worker hears."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What most jobs need and what takes long to import is there."""


@dataclass(frozen=True, slots=True)
class Began:
    """A job runs now. ``time`` is in Unix seconds."""

    job: str
    time: float


@dataclass(frozen=True, slots=True)
class Told:
    """A fact of the running job; ``body`` is a JSON object."""

    job: str
    node: str | None
    time: float
    kind: EventKind
    body: str


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far a node is."""

    job: str
    node: str
    value: int
    maximum: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Previewed:
    """A JPEG or PNG of what a node works on."""

    job: str
    node: str
    image: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """A job is over for this worker. ``error`` is ``LoomisError.as_dict`` as JSON, or empty."""

    job: str
    time: float
    outcome: Outcome
    error: str


@dataclass(frozen=True, slots=True)
class Uses:
    """What models take of the device: see ``engine.context.Usage``. Said when it changed."""

    total: int = 0
    free: int = 0
    reserved: int = 0
    used: int = 0


@dataclass(frozen=True, slots=True)
class Returned:
    """Jobs that were not begun and will not be."""

    jobs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to `Ask`: the byte form of a value, or what went wrong."""

    id: int
    body: bytes
    error: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A node pack sends an event to a client, or to all when it names none; ``body`` is a JSON object."""

    event: str
    body: str
    client: str


Report: TypeAlias = (
    Ready | Pong | Prepared | Began | Told | Progressed | Previewed | Ended | Uses | Returned | Answered | Sent
)

MESSAGES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        Run,
        Stop,
        GiveBack,
        Park,
        Look,
        Free,
        Ping,
        Ask,
        Close,
        Ready,
        Pong,
        Prepared,
        Began,
        Told,
        Progressed,
        Previewed,
        Ended,
        Uses,
        Returned,
        Answered,
        Sent,
    )
}
NAMES = {kind: tuple(field.name for field in fields(kind)) for kind in MESSAGES.values()}


class WorkerDied(LoomisError):
    """A worker is gone. ``message`` says how, ``tail`` is the end of what it wrote to standard error."""

    code = "worker_died"

    def __init__(self, message: str, tail: str) -> None:
        super().__init__(message, got=tail[-2000:] or None)
        self.tail = tail


class Carrier(Protocol):
    """One worker, wherever it is. Used on one event loop."""

    device: str

    async def start(self) -> None:
        """Start it; its first report is `Ready`."""

    def send(self, orders: Sequence[Order]) -> None:
        """Give orders."""

    async def receive(self) -> Sequence[Report]:
        """Wait for reports.

        Raises:
            WorkerDied: there will be no more.
        """

    def activity(self) -> Activity:
        """Return what it has done so far. Asked of one that does not answer."""

    def kill(self) -> None:
        """End it at once; `receive` raises soon."""

    async def close(self) -> None:
        """End it and let go of it. It may be dead already."""


def encode(messages: Sequence[Order] | Sequence[Report]) -> bytes:
    """Return messages as one msgpack array."""
    packed: bytes = msgpack.packb(
        [(type(each).__name__, *[getattr(each, name) for name in NAMES[type(each)]]) for each in messages]
    )
    return packed


def decoder(source: BinaryIO | None = None) -> msgpack.Unpacker:
    """Return what gives arrays for `decode`, as they are complete, from a source or from what it is fed."""
    return msgpack.Unpacker(source, use_list=False, max_buffer_size=LARGEST)


def decode(batch: Sequence[Sequence[Any]]) -> list[Any]:
    """Return the messages of one array."""
    return [MESSAGES[name](*values) for name, *values in batch]
