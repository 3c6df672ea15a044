"""What a foreign node returns, as the engine takes it."""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.errors import InputError, shortened
from engine.graph import is_link
from engine.schema import Block, Expanded, LinkTo, Shown
from nodes.packs import current
from nodes.packs.describe import plain
from nodes.packs.facts import NodeFacts
from nodes.packs.held import Held
from nodes.packs.names.comfy_execution.graph import ExecutionBlocker
from nodes.packs.objects import from_foreign

EMPTY: Mapping[str, Any] = {}


def returned(facts: NodeFacts, result: Any, held: Held) -> Any:
    """Return outputs, files and texts, or a graph, from what the function of a node returned.

    That is a tuple with a value per output; or a dict that may have it as ``result``, what is to be shown as ``ui``,
    and a graph that takes the node's place as ``expand``; or a blocker for all outputs.

    Raises:
        InputError: it is none of these.
    """
    answered = result if isinstance(result, Mapping) else EMPTY
    values = answered.get("result") if isinstance(result, Mapping) else result
    if isinstance(values, ExecutionBlocker):
        values = (values,) * len(facts.outputs)
    if values is None:
        values = ()
    if not isinstance(values, tuple | list):
        raise InputError(
            f"The node returned a {type(values).__name__}.",
            got=shortened(str(values)),
            expected="a tuple with a value for each output, or a dict",
            hint="Report this to the makers of its pack.",
        )
    if graph := answered.get("expand"):
        inner, kept = held.graph(graph, current.registry())
        return Expanded(inner, tuple(_inner(value) for value in _slots(facts, values)), kept)
    outputs = _slots(facts, values)
    shown: Any = None if not outputs else outputs[0] if len(outputs) == 1 else outputs
    notes: Any = answered.get("ui")
    return Shown(shown, notes=_notes(notes)) if notes else shown


def _slots(facts: NodeFacts, values: Sequence[Any]) -> tuple[Any, ...]:
    """Return a value per output. One that the node left out is None, and what it gave besides is dropped."""
    padded = (*values, *((None,) * (len(facts.outputs) - len(values))))
    return tuple(_slot(each.type, value, each.is_list) for each, value in zip(facts.outputs, padded, strict=False))


def _slot(type: str, value: Any, is_list: bool) -> Any:
    if is_list and value is None:
        return []
    if is_list and not isinstance(value, ExecutionBlocker):
        return [_value(type, each) for each in value]
    return _value(type, value)


def _value(type: str, value: Any) -> Any:
    if isinstance(value, ExecutionBlocker):
        return Block(value.message)
    return from_foreign(type, value)


def _notes(notes: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return what is to be shown as lists of plain data."""
    return {
        str(name): plain(items) if isinstance(items, list | tuple) else [plain(items)] for name, items in notes.items()
    }


def _inner(value: Any) -> Any:
    return LinkTo(str(value[0]), int(value[1])) if is_link(value) else value
