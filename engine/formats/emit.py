"""One node of the API graph from one saved node: its values, then what its sockets resolve to."""

from dataclasses import dataclass, field
from typing import Any

from engine.formats.diagnostics import Report
from engine.formats.document import Node
from engine.formats.resolve import Resolver
from engine.formats.scopes import Scope
from engine.formats.steps import Literal, Wire
from engine.formats.values import Values, values_of
from engine.formats.virtual import Kind, kind_of
from engine.formats.vocabulary import LiveInput, Vocabulary
from engine.formats.widgets import WIDGET_TYPES

PACK_FIELDS = ("cnr_id", "aux_id", "ver")


@dataclass(slots=True)
class Entry:
    """A node on its way into the API graph. ``wires`` and ``literals`` are kept apart until texts are resolved.

    ``marked`` names the inputs whose text comes from a primitive node that asks for text replacement.
    """

    path: str
    node: Node
    values: Values
    literals: dict[str, Any]
    wires: dict[str, Wire] = field(default_factory=dict)
    marked: set[str] = field(default_factory=set)


def runs(node: Node, vocabulary: Vocabulary) -> bool:
    """Whether a node is part of the API graph."""
    return node.live and kind_of(node.type) is Kind.REAL and vocabulary.definition(node) is None


def make_entry(scope: Scope, node: Node, vocabulary: Vocabulary, resolver: Resolver, report: Report) -> Entry:
    """Return a node's values and wires. A socket that resolves to something wins over the widget of its name."""
    path = scope.path(node)
    values = values_of(node, path, vocabulary, report)
    literals = dict(values.sent)
    given = scope.inner.get(node.id, {})
    literals.update({name: given[name] for name in literals if name in given})
    entry = Entry(path, node, values, literals)
    for index, live in enumerate(vocabulary.inputs(node)):
        source = resolver.source(scope, node, index)
        if isinstance(source, Wire):
            entry.wires[live.name] = source
        elif isinstance(source, Literal) and _takes_value(live):
            literals[live.name] = source.value
            if source.marked:
                entry.marked.add(live.name)
    return entry


def as_api(entry: Entry, title: str) -> dict[str, Any]:
    """Return the API form of an entry."""
    inputs: dict[str, Any] = {name: _wrapped(value, entry, name) for name, value in entry.literals.items()}
    inputs.update({name: [wire.node, wire.slot] for name, wire in entry.wires.items()})
    properties = entry.node.properties
    packs = {name: properties[name] for name in PACK_FIELDS if isinstance(properties.get(name), str)}
    return {"class_type": entry.node.type, "inputs": inputs, "_meta": {"title": title, **packs}}


def _takes_value(live: LiveInput) -> bool:
    return live.widget or live.type == "*" or not WIDGET_TYPES.isdisjoint(live.type.split(","))


def _wrapped(value: Any, entry: Entry, name: str) -> Any:
    """Lists are wrapped, as a bare list would be a link."""
    widget = entry.values.widgets.get(name)
    if widget is not None and widget.type == "CURVE":
        return {"__type__": "CURVE", "__value__": value}
    return {"__value__": value} if isinstance(value, list) else value
