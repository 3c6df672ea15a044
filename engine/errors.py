"""Everything that can go wrong, as one tree.

LoomisError
├── DefinitionError    a node is declared wrongly (raised at import)
├── WorkflowError      a workflow can't be read
│   └── ValidationError  it can be read and is not valid; ``faults`` lists every reason
├── InputError         a value that a node got can't be used
├── FileError          a file is missing, unreadable, truncated or not what its name says
├── ModelError         weights that can't be used, or don't fit what they are used for
├── OutOfMemory        a device ran out of memory
├── StoreError         the store of remembered results can't be used
├── SettingError       an option, environment variable or settings file is wrong
├── JobError           a job of a server can't be changed as asked
│   ├── NoSuchJob        it isn't known, or no longer
│   └── JobConflict      its id belongs to another job
├── NodeFailure        foreign or unexpected code failed inside a node
└── Cancelled          the run was cancelled
    └── Paused           it was stopped between two nodes, to go on later
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from reprlib import Repr
from typing import Any


@dataclass(frozen=True, slots=True)
class Raised:
    """Where in the code of a node something was raised, for those who look for the cause.

    ``traceback`` has a text for each frame, the innermost last; ``inputs`` has short texts of the values by input.
    """

    traceback: tuple[str, ...]
    inputs: Mapping[str, tuple[str, ...]]


class LoomisError(Exception):
    """The root. Carries where it happened, what was got, what was expected and what to do.

    ``node``, ``class_type`` and ``raised`` are filled in when a node raises it.
    """

    code = "error"
    raised: Raised | None = None

    def __init__(
        self,
        message: str,
        *,
        node: str | None = None,
        class_type: str | None = None,
        input: str | None = None,
        got: object = None,
        expected: object = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.node = node
        self.class_type = class_type
        self.input = input
        self.got = got
        self.expected = expected
        self.hint = hint

    def as_dict(self) -> dict[str, Any]:
        """Return the error as plain data, without the fields that are empty."""
        fields = {
            "code": self.code,
            "message": self.message,
            "node": self.node,
            "class_type": self.class_type,
            "input": self.input,
            "got": None if self.got is None else listed(self.got),
            "expected": None if self.expected is None else listed(self.expected),
            "hint": self.hint,
        }
        return {name: value for name, value in fields.items() if value is not None}


class DefinitionError(LoomisError):
    code = "definition"


class WorkflowError(LoomisError):
    code = "workflow"


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason why a workflow is not valid.

    ``code`` is stable; ``outputs`` are the ids of the output nodes that depend on the faulty node.
    """

    code: str
    message: str
    node: str | None = None
    class_type: str | None = None
    input: str | None = None
    got: str | None = None
    expected: str | None = None
    hint: str | None = None
    outputs: tuple[str, ...] = ()


class ValidationError(WorkflowError):
    code = "invalid_workflow"

    def __init__(self, faults: Sequence[Fault]) -> None:
        first = faults[0].message
        super().__init__(first if len(faults) == 1 else f"{first} (and {len(faults) - 1} more)")
        self.faults = tuple(faults)


class InputError(LoomisError):
    code = "input"


class FileError(LoomisError):
    code = "file"


class ModelError(LoomisError):
    code = "model"


class OutOfMemory(LoomisError):
    code = "out_of_memory"


class StoreError(LoomisError):
    code = "store"


class SettingError(LoomisError):
    code = "setting"


class JobError(LoomisError):
    code = "job"


class NoSuchJob(JobError):
    code = "no_such_job"


class JobConflict(JobError):
    code = "job_conflict"


class NodeFailure(LoomisError):
    code = "node_failure"


class Cancelled(LoomisError):
    code = "cancelled"


class Paused(Cancelled):
    code = "paused"


BRIEF = Repr()
"""Writes values of any size and depth in short time."""
BRIEF.maxlevel = 8
BRIEF.maxdict = BRIEF.maxlist = BRIEF.maxtuple = BRIEF.maxset = BRIEF.maxfrozenset = 40
BRIEF.maxstring = BRIEF.maxlong = BRIEF.maxother = 400


def listed(value: object) -> str:
    """Return the short text of what was got or expected: several texts with commas between them."""
    if isinstance(value, list | tuple) and value and all(isinstance(each, str) for each in value):
        more = [f"and {len(value) - BRIEF.maxlist} more"] if len(value) > BRIEF.maxlist else []
        return shortened(", ".join([*map(shortened, value[: BRIEF.maxlist]), *more]))
    return shortened(value)


def shortened(value: object, limit: int = 200) -> str:
    """Return the text of a value, cut in the middle to ``limit`` characters."""
    try:
        text = value if isinstance(value, str) else BRIEF.repr(value)
    except ValueError:  # Python writes no int of more than 4300 digits
        text = f"{type(value).__name__} with too many digits to show"
    if len(text) <= limit:
        return text
    half = (limit - 5) // 2
    return f"{text[:half]} ... {text[-half:]}"
