"""What replies and events carry: errors, states of nodes, remarks."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal

from engine.errors import Fault, LoomisError, ValidationError
from engine.formats import Diagnostic
from engine.states import NodeState
from server.protocol.model import Part


class FaultData(Part):
    """One reason why a node can't run. ``code`` is stable."""

    code: str
    message: str
    node: str | None = None
    class_type: str | None = None
    input: str | None = None
    got: str | None = None
    expected: str | None = None
    hint: str | None = None
    outputs: tuple[str, ...] = ()

    @classmethod
    def of(cls, fault: Fault) -> "FaultData":
        return cls.model_construct(**{field.name: getattr(fault, field.name) for field in fields(fault)})


class RaisedData(Part):
    """Where in the code of a node an error was raised: a text for each frame, the innermost last.

    ``inputs`` has short texts of the values that the node got, by input.
    """

    traceback: tuple[str, ...]
    inputs: dict[str, tuple[str, ...]]


class ErrorData(Part):
    """What went wrong: where, what was got, what was expected, what to do. ``code`` is stable.

    ``raised`` is there for a job whose node failed.
    """

    code: str
    message: str
    node: str | None = None
    class_type: str | None = None
    input: str | None = None
    got: str | None = None
    expected: str | None = None
    hint: str | None = None
    faults: tuple[FaultData, ...] = ()
    raised: RaisedData | None = None

    @classmethod
    def of(cls, error: LoomisError) -> "ErrorData":
        faults = tuple(map(FaultData.of, error.faults)) if isinstance(error, ValidationError) else ()
        return cls(**error.as_dict(), faults=faults)


class DiagnosticData(Part):
    """One remark about a workflow file."""

    code: str
    message: str
    level: Literal["error", "warning", "info"]
    node: str | None = None
    class_type: str | None = None
    input: str | None = None
    got: str | None = None
    expected: str | None = None
    hint: str | None = None

    @classmethod
    def of(cls, told: Diagnostic) -> "DiagnosticData":
        return cls.model_construct(**{field.name: getattr(told, field.name) for field in fields(told)})


class NodeData(Part):
    """The state of one node.

    ``remembered``: its result is there; ``outputs`` are the digests of the values on each output. ``runs``: it would
    run, and ``why``. ``depends``: something above it runs, and an equal value would still be remembered. ``invalid``:
    it has ``faults``, or needs the invalid nodes in ``blocked_by``. ``seconds`` is how long it is expected to take,
    lowest and highest. ``error`` is why it failed in a run of this session, as long as nothing that it needs is
    changed.
    """

    state: Literal["remembered", "runs", "depends", "invalid"]
    why: str = ""
    seconds: tuple[float, float] = (0.0, 0.0)
    faults: tuple[FaultData, ...] = ()
    blocked_by: tuple[str, ...] = ()
    outputs: tuple[tuple[str, ...], ...] = ()
    error: ErrorData | None = None

    @classmethod
    def of(cls, state: NodeState, error: Mapping[str, Any] | None = None) -> "NodeData":
        return cls.model_construct(
            state=state.state,
            why=state.why,
            seconds=state.seconds,
            faults=tuple(map(FaultData.of, state.faults)),
            blocked_by=state.blocked_by,
            outputs=tuple(tuple(digest.hex() for digest in wire) for wire in state.outputs),
            error=error and ErrorData.model_validate(error),
        )


def nodes_data(states: Mapping[str, NodeState], errors: Mapping[str, Mapping[str, Any]]) -> dict[str, NodeData]:
    """Return the states of nodes as they are sent. ``errors`` are those of nodes that failed, by id."""
    return {id: NodeData.of(state, errors.get(id)) for id, state in states.items()}
