"""Call one node function: arguments in, digests and values out."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.binding import BoundNode
from engine.context import Context
from engine.errors import Cancelled, InputError, LoomisError
from engine.failures import located, raised
from engine.hooks import call_hook, check_linked
from engine.imports import import_seconds
from engine.keys import CallInputs, Digests
from engine.memory import Cached
from engine.schema import Artifact, Block, Expanded, NodeSpec, Shown
from engine.values import NoByteForm, Opaque, opaque_identity, pack, unpack

LOOSE = 4
"""A value is copied that keeps alive more than this part of itself besides: a view of something larger."""


@dataclass(slots=True)
class Outcome:
    """What a call gave.

    ``outputs`` are the digests per output slot; ``values`` maps each to its value and byte form (None where it has
    none). ``asks`` are lazy inputs that are needed first. ``expanded`` is a graph that takes the call's place. One that
    is not ``exact`` is not to be remembered.
    """

    outputs: tuple[Digests, ...] = ()
    values: dict[bytes, Cached] = field(default_factory=dict)
    files: tuple[Artifact, ...] = ()
    notes: Mapping[str, list[Any]] = field(default_factory=dict)
    asks: tuple[str, ...] = ()
    expanded: Expanded[Any] | None = None
    seconds: float = 0.0
    exact: bool = True


def arguments(
    node: BoundNode,
    call: CallInputs,
    value: Callable[[bytes], Any],
    hidden: Callable[[], Mapping[str, Any]],
    context: Callable[[], Context],
) -> dict[str, Any]:
    """Return what the function is called with. Optional inputs that are not given are left to its defaults.

    Lazy inputs that are not there are None. ``hidden`` and ``context`` make what only some nodes take.
    """
    spec = node.spec
    given: dict[str, Any] = {} if spec.lazy is None else {name: None for name in node.links if spec.ports[name].lazy}
    if spec.input_is_list:
        given |= {name: [literal] for name, literal in node.literals.items()}
        given |= {name: [value(digest) for digest in digests] for name, digests in call.inputs.items()}
    else:
        given |= node.literals
        for name, digests in call.inputs.items():
            given[name] = list(node.links[name]) if spec.ports[name].raw else value(digests[0])
    if spec.hidden:
        tokens = hidden()
        given |= {name: tokens[mark.token] for name, mark in spec.hidden.items()}
    if spec.context:
        given[spec.context] = context()
    return given


def invoke(node: BoundNode, call: CallInputs, given: dict[str, Any]) -> Outcome:
    """Call a node function that is not async."""
    began = _own_seconds()
    try:
        check_linked(node.spec, call.inputs, given)
        outcome = _outcome(node, call, node.spec.function(**given))
    except (Exception, SystemExit) as error:
        raise _told(error, node, given) from error
    outcome.seconds = _own_seconds() - began
    outcome.exact = node.spec.context is None or given[node.spec.context].exact
    return outcome


async def invoke_async(node: BoundNode, call: CallInputs, given: dict[str, Any]) -> Outcome:
    """Call an ``async def`` node function."""
    began = _own_seconds()
    try:
        check_linked(node.spec, call.inputs, given)
        result: Awaitable[Any] = node.spec.function(**given)
        outcome = _outcome(node, call, await result)
    except (Exception, SystemExit) as error:
        raise _told(error, node, given) from error
    outcome.seconds = _own_seconds() - began
    outcome.exact = node.spec.context is None or given[node.spec.context].exact
    return outcome


def _told(error: BaseException, node: BoundNode, given: Mapping[str, Any]) -> LoomisError:
    """Return a node's failure with what can be told of it. Of a cancelled one there is nothing to find out."""
    told = located(error, node)
    if told.raised is None and not isinstance(told, Cancelled):
        told.raised = raised(error, node, given)
    return told


def _own_seconds() -> float:
    """Return the time less what this thread spent importing: a library is no cost of the node that came first."""
    return time.perf_counter() - import_seconds()


def asks(node: BoundNode, given: Mapping[str, Any], asked: frozenset[str]) -> tuple[str, ...]:
    """Return the linked lazy inputs that the node needs and does not have.

    Raises:
        LoomisError: the node's ``lazy`` function failed, or asks for something that is no input.
    """
    try:
        named = list(call_hook(node.spec.lazy, given)) if node.spec.lazy else []
    except Exception as error:
        raise _told(error, node, given) from error
    for name in named:
        if name not in node.spec.ports:
            raise located(
                InputError(
                    "The node's lazy function asks for something that is no input.",
                    got=name,
                    expected=list(node.spec.ports),
                    hint="Report this node.",
                ),
                node,
            )
    return tuple(dict.fromkeys(name for name in named if name in node.links and name not in asked))


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
        _note_block(outcome, result)
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
    outcome.outputs = tuple([wire_of(outcome, call.key, spec, index, value) for index, value in enumerate(results)])
    return outcome


def wire_of(outcome: Outcome, key: bytes, spec: NodeSpec, index: int, value: Any) -> Digests:
    """Put what a node gave for one output into ``outcome``; return the digests that lie on the wire."""
    is_list = spec.outputs[index].is_list and not isinstance(value, Block)
    wire = []
    for place, item in enumerate(value if is_list else (value,)):
        if isinstance(item, Block):
            _note_block(outcome, item)
            item = Block()
        try:
            packed = pack(item)
        except NoByteForm:
            digest = opaque_identity(key, index, place, pure=spec.pure)
            outcome.values[digest] = Cached(Opaque(item, digest), None)
        else:
            if spec.foreign or packed.beside > packed.nbytes // LOOSE:  # a foreign node may keep what it gave
                packed = packed.copied()
                item = unpack(packed)
            digest = packed.digest
            outcome.values[digest] = Cached(item, packed)
            if hasattr(item, "setflags"):
                item.setflags(write=False)  # other nodes share this array, and numpy does not count its changes
        wire.append(digest)
    return tuple(wire)


def _note_block(outcome: Outcome, block: Block) -> None:
    if block.message:
        outcome.notes = {**outcome.notes, "blocked": [*outcome.notes.get("blocked", ()), block.message]}
