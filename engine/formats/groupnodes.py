"""Legacy group nodes (2023 to 2025) as subgraph definitions.

A group node has the type ``workflow>Name`` or ``workflow/Name``. ``extra.groupNodes`` describes it: inner nodes by
position, links as ``[from, slot, to, slot, ...]``, outputs that are also used outside, renamed and hidden sockets.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.formats.catalogue import Catalogue
from engine.formats.diagnostics import Report
from engine.formats.document import (
    INPUT_BOUNDARY,
    OUTPUT_BOUNDARY,
    Definition,
    Document,
    Graph,
    Link,
    Node,
    Port,
    Slot,
)
from engine.formats.parse import as_list, as_object, id_text, parse_graph, whole_number
from engine.formats.virtual import Kind, kind_of
from engine.formats.vocabulary import LiveInput, Vocabulary
from engine.formats.widgets import CONTROL

PREFIXES = ("workflow>", "workflow/")


def unfold_group_nodes(document: Document, catalogue: Catalogue, report: Report) -> Document:
    """Return the document with a definition for every group node that it describes."""
    described = as_object(document.extra.get("groupNodes"))
    if not described:
        return document
    vocabulary = Vocabulary(catalogue, {})
    definitions = dict(document.definitions)
    for name, raw in described.items():
        group = GroupNode(name, as_object(raw), vocabulary, report)
        definitions |= {f"{prefix}{name}": group.definition(f"{prefix}{name}") for prefix in PREFIXES}
    return replace(document, definitions=definitions)


class GroupNode:
    """Builds the definition of one group node."""

    def __init__(self, name: str, raw: Mapping[str, Any], vocabulary: Vocabulary, report: Report) -> None:
        items = [{**as_object(item), "id": index} for index, item in enumerate(as_list(raw.get("nodes")))]
        self.name = name
        self.nodes = dict(parse_graph({"nodes": items}, report).nodes)
        self.config = as_object(raw.get("config"))
        self.vocabulary = vocabulary
        inner = [self._inner_link(item) for item in as_list(raw.get("links"))]
        self.inner = [link for link in inner if link is not None]
        self.fed = {(link.target, self._socket(link.target, link.target_slot)) for link in self.inner}
        external = [item for item in as_list(raw.get("external")) if isinstance(item, list) and len(item) > 1]
        self.outside = {(id_text(item[0]), whole_number(item[1])) for item in external}

    def definition(self, definition_id: str) -> Definition:
        """Return the group as a subgraph: sockets that no inner link feeds are inputs, unused outputs are outputs."""
        entering, inputs = self._input_ports()
        leaving, outputs = self._output_ports()
        links = {link.id: link for link in (*self.inner, *entering, *leaving)}
        sockets = {(link.target, self._socket(link.target, link.target_slot)): link.id for link in self.inner}
        free = zip(entering, self._free_sockets(), strict=True)
        sockets |= {(node.id, live.name): link.id for link, (node, live) in free}
        nodes = {node.id: self._rewired(node, sockets) for node in self.nodes.values()}
        order = tuple(place for node in self.nodes.values() for place in self._widgets(node))
        return Definition(definition_id, self.name, inputs, outputs, Graph(nodes, links), order)

    def _inner_link(self, raw: Any) -> Link | None:
        match raw:
            case [origin, origin_slot, target, target_slot, *rest]:
                ends = id_text(origin), id_text(target)
                slots = whole_number(origin_slot), whole_number(target_slot)
                if ends[0] in self.nodes and ends[1] in self.nodes and None not in slots:
                    kind = rest[1] if len(rest) > 1 and isinstance(rest[1], str) else "*"
                    name = f"{ends[0]}.{slots[0]}>{ends[1]}.{slots[1]}"
                    return Link(name, str(ends[0]), slots[0] or 0, str(ends[1]), slots[1] or 0, kind)
        return None

    def _socket(self, node_id: str, slot: int) -> str | None:
        inputs = self.nodes[node_id].inputs
        return inputs[slot].name if 0 <= slot < len(inputs) else None

    def _free_sockets(self) -> list[tuple[Node, LiveInput]]:
        return [
            (node, live)
            for node in self.nodes.values()
            for live in self.vocabulary.inputs(node)
            if (node.id, live.name) not in self.fed and not self._hidden(node, live.name)
        ]

    def _input_ports(self) -> tuple[list[Link], tuple[Port, ...]]:
        links: list[Link] = []
        ports: list[Port] = []
        seen: dict[str, int] = {}
        for index, (node, live) in enumerate(self._free_sockets()):
            links.append(Link(f"in{index}", INPUT_BOUNDARY, index, node.id, 0, live.type))
            name = _port_name(node, live, self._custom(node, "input", live.name), seen)
            ports.append(Port(name, live.type, (links[-1].id,)))
        return links, tuple(ports)

    def _output_ports(self) -> tuple[list[Link], tuple[Port, ...]]:
        used = {(link.origin, link.origin_slot) for link in self.inner}
        links: list[Link] = []
        ports: list[Port] = []
        for node in self.nodes.values():
            for slot, output in enumerate(node.outputs):
                hidden = (node.id, slot) in used and (node.id, slot) not in self.outside
                if self._custom(node, "output", str(slot)).get("visible", not hidden):
                    links.append(Link(f"out{len(ports)}", node.id, slot, OUTPUT_BOUNDARY, len(ports), output.type))
                    ports.append(Port(output.name, output.type, (links[-1].id,)))
        return links, tuple(ports)

    def _widgets(self, node: Node) -> list[tuple[str, str]]:
        """Return the inner widgets whose values the instance lists, in its order."""
        if kind_of(node.type) is Kind.VALUE:
            return [(node.id, name) for name, _ in zip(("value", CONTROL), node.value_list, strict=False)]
        info = self.vocabulary.info(node)
        layout = self.vocabulary.layout(info) if info else ()
        places: list[tuple[str, str]] = []
        shown = True
        for widget in layout:
            if widget.sent:
                shown = (node.id, widget.name) not in self.fed and not self._hidden(node, widget.name)
            if shown and not widget.forced:
                places.append((node.id, widget.name))
        return places

    def _custom(self, node: Node, side: str, name: str) -> dict[str, Any]:
        return as_object(as_object(as_object(self.config.get(node.id)).get(side)).get(name))

    def _hidden(self, node: Node, name: str) -> bool:
        return self._custom(node, "input", name).get("visible") is False

    def _rewired(self, node: Node, sockets: Mapping[tuple[str, str | None], str]) -> Node:
        """Return an inner node whose sockets hold the links of the definition."""
        slots = (
            Slot(live.name, live.type, sockets.get((node.id, live.name)), live.name if live.widget else None)
            for live in self.vocabulary.inputs(node)
        )
        return replace(node, inputs=tuple(slots))


def _port_name(node: Node, live: LiveInput, custom: Mapping[str, Any], seen: dict[str, int]) -> str:
    """Return the name of a group input: its own where that is free, else with the inner node's title before it."""
    renamed = custom.get("name")
    name = renamed if isinstance(renamed, str) else live.label or live.name
    key = name
    if name in seen or (kind_of(node.type) is Kind.VALUE and node.title):
        prefix = f"{node.title or node.type} "
        key = name = f"{prefix}{live.name}"
        if name in seen:
            name = f"{prefix} {seen[name]} {live.name}"
    seen[key] = seen.get(key, 1) + 1
    return name
