"""Promoted widgets: values that a subgraph instance gives to widgets of its inner nodes, for itself alone.

A definition input that leads to an inner widget shows that widget on every instance. The values are found by name,
in the definition's order, whichever of three ways a file of its age stores them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.formats.diagnostics import Report
from engine.formats.document import INPUT_BOUNDARY, Definition, Link, Node, Slot
from engine.formats.parse import id_text
from engine.formats.vocabulary import Vocabulary

INSTANCE = "-1"


@dataclass(frozen=True, slots=True)
class Given:
    """What an instance gives: values of its own inputs by name, and of inner widgets by node id, then by name."""

    inputs: Mapping[str, Any] = field(default_factory=dict)
    inner: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Promotions:
    """Finds what instances give. The promoted inputs of a definition are found once."""

    def __init__(self, vocabulary: Vocabulary, report: Report) -> None:
        self.vocabulary = vocabulary
        self.report = report
        self._shown: dict[Definition, list[str]] = {}

    def given_by(self, node: Node, path: str) -> Given:
        """Return the values of one instance. ``path`` is its id in the API graph."""
        definition = self.vocabulary.definitions[node.type]
        if definition.order is not None:
            return _ordered(node, path, definition.order, self.report)
        legacy = node.properties.get("proxyWidgets")
        if isinstance(legacy, list) and legacy:
            return _by_proxies(legacy, node.value_list)
        shown = self._names(definition)
        if isinstance(node.values, dict):
            return Given({name: value for name, value in node.values.items() if name in shown and value is not None})
        values = self._aligned(node, path, shown)
        return Given({name: value for name, value in zip(shown, values, strict=False) if value is not None})

    def _names(self, definition: Definition) -> list[str]:
        if definition not in self._shown:
            ports = enumerate(definition.inputs)
            self._shown[definition] = [p.name for index, p in ports if is_promoted(definition, index, self.vocabulary)]
        return self._shown[definition]

    def _aligned(self, node: Node, path: str, shown: list[str]) -> list[Any]:
        """Return one value per shown widget: the positional list where it fits, else the named copy."""
        values = node.value_list
        if values and len(values) <= len(shown):
            return values
        if node.named or not values:
            return [node.named.get(name) for name in shown]
        self.report.add(
            "extra_values",
            f"The subgraph instance has {len(values)} values for {len(shown)} widgets; the rest is ignored.",
            node=path,
            got=values,
            expected=f"{len(shown)} values",
        )
        return values


def is_promoted(definition: Definition, index: int, vocabulary: Vocabulary) -> bool:
    """Whether a definition input leads to a widget, directly or through inner instances."""
    pending, seen = [(definition, index)], set()
    while pending:
        at, slot = pending.pop()
        if (at.id, slot) in seen:
            continue
        seen.add((at.id, slot))
        for target, name, widget in _targets(at, slot):
            inner = vocabulary.definition(target)
            if inner is not None:
                pending += [(inner, place) for place, port in enumerate(inner.inputs) if port.name == name]
            elif widget or vocabulary.has_widget(target, name):
                return True
    return False


def _targets(definition: Definition, index: int) -> Iterator[tuple[Node, str, bool]]:
    """Yield the inner nodes that a definition input feeds, with the name of the socket and whether it is a widget's."""
    links = definition.graph.links
    for link_id in definition.inputs[index].links:
        link = links.get(link_id)
        node = definition.graph.nodes.get(link.target) if link and link.origin == INPUT_BOUNDARY else None
        slot = _slot(node, link) if node and link else None
        if node is not None and slot is not None:
            yield node, slot.name, slot.widget is not None


def _slot(node: Node, link: Link) -> Slot | None:
    if 0 <= link.target_slot < len(node.inputs) and node.inputs[link.target_slot].link == link.id:
        return node.inputs[link.target_slot]
    return next((slot for slot in node.inputs if slot.link == link.id), None)


def _by_proxies(entries: list[Any], values: list[Any]) -> Given:
    """The way of 2025: value i belongs to entry i, ``[inner node id or "-1", widget name, ...]``."""
    inputs: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {}
    for entry, value in zip(entries, values, strict=False):
        match entry:
            case [owner, str() as name, *_] if value is not None and not name.startswith("$$"):
                node_id = id_text(owner)
                bare = name.removeprefix(f"{node_id}: ")
                if node_id == INSTANCE:
                    inputs[bare] = value
                elif node_id is not None:
                    inner.setdefault(node_id, {})[bare] = value
    return Given(inputs, inner)


def _ordered(node: Node, path: str, order: tuple[tuple[str, str], ...], report: Report) -> Given:
    """A group node: values in the order of its inner widgets."""
    if len(node.value_list) not in (0, len(order)):
        report.add(
            "misaligned_values",
            "The group node's values don't match the widgets inside it; the inner values are used.",
            node=path,
            got=node.value_list,
            expected=f"{len(order)} values",
            level="error",
        )
        return Given()
    inner: dict[str, dict[str, Any]] = {}
    for (owner, name), value in zip(order, node.value_list, strict=False):
        if value is not None:
            inner.setdefault(owner, {})[name] = value
    return Given(inner=inner)
