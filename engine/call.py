"""Call one node function: arguments in, digests and values out."""

import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from engine.context import Context
from engine.errors import Cancelled, InputError, LoomisError, NodeFailure, OutOfMemory, shortened
from engine.keys import CallInputs, Digests
from engine.schema import Artifact, Block, Expanded, Shown
from engine.validate import BoundNode
from engine.values import NoByteForm, Opaque, Packed, opaque_identity, pack

NO_MEMORY = "DefaultCPUAllocator: can't allocate memory"
"""What torch says, as a RuntimeError, when the CPU's memory ran out."""

PLAIN = (int, float, str, bool, bytes, type(None))


@dataclass(slots=True)
class Outcome:
    """What a call gave.

    ``outputs`` are the digests per output slot; ``values`` maps each to its value and byte form (None where it has
    none). ``asks`` are lazy inputs that are needed first. ``expanded`` is a graph that takes the call's place.
    """

    outputs: tuple[Digests, ...] = ()
    values: dict[bytes, tuple[Any, Packed | None]] = field(default_factory=dict)
    files: tuple[Artifact, ...] = ()
    notes: Mapping[str, list[Any]] = field(default_factory=dict)
    asks: tuple[str, ...] = ()
    expanded: Expanded[Any] | None = None
    seconds: float = 0.0


def arguments(
    node: BoundNode, call: CallInputs, value: Callable[[bytes], Any], hidden: Mapping[str, Any], context: Context
) -> dict[str, Any]:
    """Return what the function is called with. Optional inputs that are not given are left to its defaults."""
    spec = node.spec
    if spec.input_is_list:
        given: dict[str, Any] = {name: [literal] for name, literal in node.literals.items()}
        given |= {name: [value(digest) for digest in digests] for name, digests in call.inputs.items()}
    else:
        given = {**node.literals, **{name: value(digests[0]) for name, digests in call.inputs.items()}}
    for name, mark in spec.hidden.items():
        given[name] = hidden[mark.token]
    if spec.context:
        given[spec.context] = context
    return given


def invoke(node: BoundNode, call: CallInputs, given: dict[str, Any], asked: frozenset[str]) -> Outcome:
    """Call a node function that is not async."""
    began = time.perf_counter()
    try:
        if asks := _asks(node, given, asked):
            return Outcome(asks=asks)
        _fill_lazy(node, given)
        before = _versions(given)
        outcome = _outcome(node, call, node.spec.function(**given))
        _check_unchanged(before, given)
    except Exception as error:
        raise located(error, node) from error
    outcome.seconds = time.perf_counter() - began
    return outcome


async def invoke_async(node: BoundNode, call: CallInputs, given: dict[str, Any], asked: frozenset[str]) -> Outcome:
    """Call an ``async def`` node function."""
    began = time.perf_counter()
    try:
        if asks := _asks(node, given, asked):
            return Outcome(asks=asks)
        _fill_lazy(node, given)
        result: Awaitable[Any] = node.spec.function(**given)
        outcome = _outcome(node, call, await result)
    except Exception as error:
        raise located(error, node) from error
    outcome.seconds = time.perf_counter() - began
    return outcome


def _asks(node: BoundNode, given: Mapping[str, Any], asked: frozenset[str]) -> tuple[str, ...]:
    """Return the linked lazy inputs that the node needs and does not have."""
    if node.spec.lazy is None:
        return ()
    wanted = inspect.signature(node.spec.lazy).parameters
    named = node.spec.lazy(**{name: given.get(name) for name in wanted})
    return tuple(name for name in named if name in node.links and name not in asked)


def _fill_lazy(node: BoundNode, given: dict[str, Any]) -> None:
    for port in node.spec.inputs:
        if port.lazy and port.name not in given:
            given[port.name] = None


def _outcome(node: BoundNode, call: CallInputs, result: Any) -> Outcome:
    """Take a function's return value apart."""
    spec = node.spec
    outcome = Outcome()
    if isinstance(result, Expanded):
        outcome.expanded = result
        return outcome
    if isinstance(result, Shown):
        outcome.files, outcome.notes = result.files, result.notes
        result = result.result
    if isinstance(result, Block):
        if result.message:
            outcome.notes = {**outcome.notes, "blocked": [result.message]}
        results: tuple[Any, ...] = tuple([Block()] if slot.is_list else Block() for slot in spec.outputs)
    elif len(spec.outputs) == 1 and not (isinstance(result, tuple) and len(result) == 1 and hasattr(result, "_fields")):
        results = (result,)
    else:
        results = () if result is None else tuple(result)
    if len(results) != len(spec.outputs):
        raise InputError(
            f"The node gave {len(results)} outputs.",
            got=len(results),
            expected=len(spec.outputs),
            hint="Report this node.",
        )
    slots = []
    for index, (slot, value) in enumerate(zip(spec.outputs, results, strict=True)):
        values = value if slot.is_list else [value]
        slots.append(tuple(_keep(outcome, call.key, index, spec.pure, item) for item in values))
    outcome.outputs = tuple(slots)
    return outcome


def _keep(outcome: Outcome, key: bytes, slot: int, pure: bool, value: Any) -> bytes:
    try:
        packed = pack(value)
        digest = packed.digest
        outcome.values[digest] = (value, packed)
    except NoByteForm:
        digest = opaque_identity(key, slot, pure=pure)
        outcome.values[digest] = (Opaque(value, digest), None)
    return digest


def _versions(given: Mapping[str, Any]) -> list[tuple[str, Any, int]]:
    """Return the tensors among the arguments with the number of in-place changes that each has seen."""
    return [(name, tensor, tensor._version) for name, value in given.items() for tensor in _tensors(value)]


def _tensors(value: Any) -> list[Any]:
    if isinstance(value, PLAIN):
        return []
    if hasattr(value, "_version"):
        return [value]
    if is_dataclass(value):
        return [tensor for item in fields(value) for tensor in _tensors(getattr(value, item.name))]
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in _tensors(item)]
    return []


def _check_unchanged(before: list[tuple[str, Any, int]], given: Mapping[str, Any]) -> None:
    for name, tensor, version in before:
        if tensor._version != version:
            raise InputError(
                "The node changed its input in place; other nodes share that value.",
                input=name,
                expected="inputs left as they are",
                hint="Let the node work on a copy (tensor.clone()).",
            )


def located(error: Exception, node: BoundNode) -> LoomisError:
    """Return the error with the node it happened in; errors that are not ours become a NodeFailure."""
    if isinstance(error, LoomisError):
        if error.node is None:
            error.node = node.id
        error.class_type = error.class_type or node.spec.type
        return error
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or NO_MEMORY in str(error):
        return OutOfMemory(
            f"Memory ran out in {node.spec.type}.",
            node=node.id,
            class_type=node.spec.type,
            got=shortened(str(error)),
            expected="memory for what the node makes",
            hint="Use a smaller size or batch, or a lower precision.",
        )
    if type(error).__name__ == "CancelledError":
        return Cancelled("The run was cancelled.", node=node.id)
    return NodeFailure(
        f"{node.spec.type} failed: {type(error).__name__}: {shortened(str(error))}",
        node=node.id,
        class_type=node.spec.type,
        got=type(error).__name__,
        expected="the node to finish",
        hint="Check the node's inputs; if they look right, report it with the log.",
    )
