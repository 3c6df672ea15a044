"""What a job is: what was submitted, where it stands, and the numbered facts of its story."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from engine.errors import Fault

JobState: TypeAlias = Literal["queued", "running", "succeeded", "failed", "cancelled"]

ENDED: tuple[JobState, ...] = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class BatchPart:
    """What a job that runs rows of a batch has besides: a folder for its files, below the output folder, and what goes
    into them as provenance: ``notes``, and the API graph as it was given (``source``)."""

    folder: str
    notes: Mapping[str, Any]
    source: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Submission:
    """A job as it is asked for.

    ``workflow`` is kept as sent. ``id`` is chosen by the client or made here: the same id with the same content is the
    same job. ``parameters``, ``targets``, ``partial`` and ``keep`` are those of ``Engine.run``. ``priority`` is higher
    first, -100 to 100; within one priority the lowest ``number`` runs first (default: one more than any before), and
    ``front`` goes before all that are queued. ``timeout`` is in seconds from now. ``extra`` goes into the files beside
    the prompt; ``annotations`` are kept with the job and mean nothing here. ``client`` is whose sockets hear of it,
    ``owner`` whose job it is. ``part`` is of a job that runs rows of a batch.
    """

    workflow: Mapping[str, Any]
    id: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    targets: tuple[str, ...] | None = None
    partial: bool = False
    keep: tuple[str, ...] = ()
    priority: int = 0
    number: float | None = None
    front: bool = False
    timeout: float | None = None
    labels: tuple[str, ...] = ()
    owner: str = ""
    client: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    annotations: Mapping[str, Any] = field(default_factory=dict)
    part: BatchPart | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands. Times are Unix seconds.

    ``targets`` are the ids of the nodes it runs for, ``models`` the files that it names, such as ``vae/a.safetensors``;
    ``faults`` tell what ``partial`` left out. ``attempts`` counts how
    often it began, ``deaths`` how many workers died of it. ``outputs`` are, per output node, ``{"files": [...],
    "notes": {...}}``: of a running job those that are there already. ``error`` is ``LoomisError.as_dict``.
    """

    id: str
    state: JobState
    priority: int
    number: float
    created: float
    targets: tuple[str, ...]
    models: tuple[str, ...] = ()
    began: float | None = None
    ended: float | None = None
    deadline: float | None = None
    attempts: int = 0
    deaths: int = 0
    labels: tuple[str, ...] = ()
    owner: str = ""
    client: str | None = None
    worker: str | None = None
    faults: tuple[Fault, ...] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None


EventKind: TypeAlias = Literal[
    "queued", "moved", "began", "requeued", "succeeded", "failed", "cancelled",
    "planned", "node_started", "node_finished", "remembered", "saved", "warned",
    "paused", "resumed",
    "row", "batch_ended",
]  # fmt: skip
"""The kinds of facts.

Of a job: ``queued {priority, number}``, ``moved {priority, number}``, ``began {attempt, worker}``,
``requeued {reason}`` (its worker died, or the server parked it), ``succeeded {seconds}``, ``failed {error}``,
``cancelled {}``. While it runs, with the other fields of ``engine.events``: ``planned``, ``node_started``,
``node_finished``, ``remembered``, ``saved``, ``warned``. Of the queue, without a job: ``paused``, ``resumed``.

Of a batch, whose id stands in place of a job's: ``row``, the line of the manifest about it and how far the batch is,
and ``batch_ended {state, error}``.
"""

OF_BATCHES: frozenset[EventKind] = frozenset({"row", "batch_ended"})


@dataclass(frozen=True, slots=True)
class JobEvent:
    """A fact that is on disk. ``seq`` counts up by one over all jobs; ``body`` is a JSON object."""

    seq: int
    job: str | None
    node: str | None
    time: float
    kind: EventKind
    body: str

    @property
    def data(self) -> dict[str, Any]:
        """Return the fields of this kind of fact."""
        decoded: dict[str, Any] = json.loads(self.body)
        return decoded


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a node is, and a word on its last step. Only the newest of each node is kept, in memory."""

    job: str
    node: str
    value: int
    maximum: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """A JPEG or PNG of what a node works on. Made only while somebody looks."""

    job: str
    node: str
    image: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pruned:
    """Facts before ``seq`` that were asked for are gone with their jobs: look at the jobs, then go on from ``seq``."""

    seq: int


@dataclass(frozen=True, slots=True)
class PackEvent:
    """What a node pack sends to a client, or to all when it names none; ``body`` is a JSON object.

    ``after`` is the number of the newest fact before it.
    """

    event: str
    body: str
    client: str
    after: int = 0


Fleeting: TypeAlias = Progress | Preview | PackEvent
"""What is told and not kept."""

Live: TypeAlias = JobEvent | Fleeting | Pruned


@dataclass(frozen=True, slots=True)
class Events:
    """Facts in order. ``pruned`` says that some of those that were asked for are gone with their jobs."""

    events: tuple[JobEvent, ...]
    pruned: Pruned | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Jobs of a listing, and how many there are in all."""

    jobs: tuple[Job, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How many jobs wait and run, and whether the queue is paused."""

    queued: int
    running: int
    paused: bool
