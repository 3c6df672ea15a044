"""What a run tells while it goes on: one dataclass a fact, numbered in order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Started:
    """A run began."""

    seq: int
    job: str
    time: float


@dataclass(frozen=True, slots=True)
class Planned:
    """What is remembered, what runs and why, what depends; expected seconds as a range.

    ``expected`` has the ranges of the nodes whose types ran before.
    """

    seq: int
    job: str
    remembered: tuple[str, ...]
    runs: Mapping[str, str]
    depends: tuple[str, ...]
    seconds: tuple[float, float]
    expected: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeStarted:
    seq: int
    job: str
    node: str
    class_type: str
    why: str


@dataclass(frozen=True, slots=True)
class Progress:
    """A node did ``value`` of ``maximum`` steps, and notes something of the last one, such as a loss.

    ``preview`` makes a picture of them, when somebody looks.
    """

    seq: int
    job: str
    node: str
    value: int
    maximum: int
    preview: Callable[[], bytes] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A node's outputs were there already: it did not run."""

    seq: int
    job: str
    node: str
    class_type: str


@dataclass(frozen=True, slots=True)
class NodeFinished:
    seq: int
    job: str
    node: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Saved:
    """An output node's files are on disk. ``written`` is false when they were there already."""

    seq: int
    job: str
    node: str
    files: tuple[Mapping[str, Any], ...]
    notes: Mapping[str, list[Any]]
    written: bool


@dataclass(frozen=True, slots=True)
class Warned:
    """Something went wrong that costs no result; ``blocks``: a node says why those that depend on it do not run."""

    seq: int
    job: str
    message: str
    node: str | None = None
    blocks: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """All wanted outputs are there."""

    seq: int
    job: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The run ended with an error (``LoomisError.as_dict``). What was done stays remembered."""

    seq: int
    job: str
    error: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WasCancelled:
    """The run was stopped on request."""

    seq: int
    job: str


Event: TypeAlias = (
    Started | Planned | NodeStarted | Progress | Remembered | NodeFinished | Saved | Warned | Finished | Failed
    | WasCancelled
)  # fmt: skip
