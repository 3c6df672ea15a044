"""What the routes answer with, as the description of the API has it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from server.files.media import Kind
from server.protocol.model import Json
from server.protocol.parts import ErrorData, FaultData
from server.protocol.results import BatchData, JobData


class Answer(BaseModel):
    """A JSON object that a route answers with: these fields and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FaultAnswer(FaultData):
    """One reason why a node can't run. ``code`` is stable; what is not known is left out."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)


class ErrorAnswer(ErrorData):
    """What went wrong. ``code`` is stable; what is not known is left out."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    faults: tuple[FaultAnswer, ...] = ()


class Failure(Answer):
    """What was wrong; nothing was changed."""

    error: ErrorAnswer


class JobAnswer(JobData):
    """A job as it stands. Times are Unix seconds.

    ``outputs`` has, per output node, ``{"files": [...], "notes": {...}}``: of a running job those that are there.
    """

    model_config = ConfigDict(extra="forbid")

    faults: tuple[FaultAnswer, ...] = ()
    error: ErrorAnswer | None = None


class JobNow(JobAnswer):
    """A job, and how far its nodes are: steps done and steps in all."""

    progress: dict[str, tuple[int, int]]


class JobsAnswer(Answer):
    """A page of jobs, how many there are in all, and whether there are more behind it."""

    jobs: tuple[JobAnswer, ...]
    total: int
    more: bool


class CancelledAnswer(Answer):
    """The jobs that were to be cancelled, as they stand."""

    jobs: tuple[JobAnswer, ...]


class BatchAnswer(BatchData):
    """A batch as it stands. Times are Unix seconds, ``left`` is in seconds; null: nothing is known yet.

    ``folder`` is below the output folder; the files of rows, ``manifest`` and ``sheet`` are in it. ``skipped`` rows
    were done before. A batch is ``stopped`` when the server could not go on with it (``error``); it tries again at
    its next start.
    """

    model_config = ConfigDict(extra="forbid")

    error: ErrorAnswer | None = None


class BatchesAnswer(Answer):
    """A page of batches, newest first, and how many there are in all."""

    batches: tuple[BatchAnswer, ...]
    total: int


class SentAnswer(Answer):
    """What was submitted."""

    workflow: Json
    parameters: Json
    extra: Json
    annotations: Json


class EventAnswer(Answer):
    """A fact. ``seq`` counts up over all jobs; what ``data`` holds depends on ``kind``."""

    seq: int
    job: str | None
    node: str | None
    time: float
    kind: str
    data: Json


class EventsAnswer(Answer):
    """Facts in order. ``pruned`` is the newest number that is gone, if some that were asked for are."""

    events: tuple[EventAnswer, ...]
    pruned: int | None


class AllEventsAnswer(EventsAnswer):
    """Facts of all jobs, and the number of the newest one."""

    seq: int


class QueueAnswer(Answer):
    """What runs and what waits, in the order in which it will run, and the number of the newest fact."""

    jobs: tuple[JobAnswer, ...]
    paused: bool
    seq: int


class PausedAnswer(Answer):
    """Whether the queue begins no more jobs."""

    paused: bool


class ParametersAnswer(Answer):
    """The parameters that a workflow declares, every input that can be set, and a JSON Schema of what a job takes."""

    parameters: tuple[Json, ...]
    inputs: tuple[Json, ...]
    schema_: Annotated[Json, Field(alias="schema")]


class NodeTypeAnswer(Answer):
    """A node type. An input has a name, a type, whether it is required, and what is declared of its values."""

    type: str
    display_name: str
    category: str
    description: str
    version: Any
    output_node: bool
    resource: str
    inputs: tuple[Json, ...]
    outputs: tuple[Json, ...]


class CardMemory(Answer):
    """The memory of a GPU, in bytes: ``reserved`` is taken by the worker, ``used`` of that in tensors."""

    total: int
    free: int
    reserved: int
    used: int


class WorkerAnswer(Answer):
    """A worker.

    A ``prepared`` one has imported what most jobs need. ``rss`` is the memory that it has resident, in bytes;
    ``starts`` counts how often it was started, and ``silent`` the seconds for which it has not answered.
    ``memory`` is known of a GPU once a model was used on it.
    """

    name: str
    device: str
    state: Literal["starting", "idle", "busy"]
    prepared: bool
    pid: int | None
    job: str | None
    starts: int
    last_death: str | None
    silent: float
    rss: int
    memory: CardMemory | None


class WorkersAnswer(Answer):
    """The workers."""

    workers: tuple[WorkerAnswer, ...]


class Memory(Answer):
    """The memory of the machine, in bytes."""

    total: int
    available: int


class Space(Answer):
    """The disk that holds the data folder, in bytes."""

    total: int
    free: int


class StoreAnswer(Answer):
    """The store of remembered results on disk, in bytes."""

    rows: int
    values: int
    bytes: int
    limit: int


class SystemAnswer(Answer):
    """What the server uses. ``rss`` is the memory of the server itself, without its workers."""

    version: str
    pid: int
    started: float
    rss: int
    memory: Memory
    disk: Space
    store: StoreAnswer
    workers: tuple[WorkerAnswer, ...]


class HealthAnswer(Answer):
    """Whether the server works, and what was looked at."""

    healthy: bool
    checks: dict[str, str]


class ReadyAnswer(Answer):
    """Whether a job that is sent now is taken and begins, and what was looked at."""

    ready: bool
    checks: dict[str, str]


class FileAnswer(Answer):
    """A file: its path below the place, bytes, and when it was changed (Unix seconds)."""

    name: str
    size: int
    modified: float
    kind: Kind


class FilesAnswer(Answer):
    """A page of files, newest first, and how many there are in all."""

    files: tuple[FileAnswer, ...]
    total: int


class StoredAnswer(Answer):
    """Where an upload is, its bytes and its blake3; ``created`` is false if the same content was there already."""

    name: str
    size: int
    digest: str = Field(pattern="^[0-9a-f]{64}$")
    created: bool


class NodeTypesAnswer(RootModel[tuple[NodeTypeAnswer, ...]]):
    """All node types."""
