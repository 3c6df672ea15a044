"""JSON to ``Document``: total, whatever the JSON is. What can't be used is reported and left out."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from engine.formats.catalogue import type_name
from engine.formats.diagnostics import Report
from engine.formats.document import Box, Definition, Document, Graph, Link, Node, Port, Slot

MAX_ID_LENGTH = 200
MAX_TYPE_LENGTH = 1_000
MAX_SLOT = 100_000


def parse_document(raw: Mapping[str, Any], report: Report) -> Document:
    """Return the document of a saved file, schema 0.4 or 1."""
    return Document(parse_graph(raw, report), _definitions(raw, report), as_object(raw.get("extra")))


def parse_graph(raw: Mapping[str, Any], report: Report) -> Graph:
    nodes: dict[str, Node] = {}
    for item in _items(raw.get("nodes")):
        node = _node(item, report)
        if node is None:
            continue
        if node.id in nodes:
            report.add("duplicate_node", f"Two nodes have the id {node.id}; the first is used.", node=node.id)
            continue
        nodes[node.id] = node
    return Graph(nodes, _links(raw.get("links"), report), _boxes(raw.get("groups")))


def as_object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def id_text(value: Any) -> str | None:
    """Return an id as text ("5" for 5, 5.0 and "5"), or None where it can't be an id."""
    match value:
        case bool():
            return None
        case int() if value.bit_length() <= 256:
            return str(value)
        case float() if math.isfinite(value) and value.is_integer():
            return str(int(value))
        case str() if 0 < len(value) <= MAX_ID_LENGTH:
            return value
    return None


def whole_number(value: Any) -> int | None:
    """Return a small whole number that may be saved as a float or as text."""
    text = id_text(value)
    try:
        number = int(text) if text is not None else None
    except ValueError:
        return None
    return number if number is not None and abs(number) <= MAX_SLOT else None


def _items(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else as_list(value)


def _node(raw: Any, report: Report) -> Node | None:
    item = as_object(raw)
    node_id, kind = id_text(item.get("id")), item.get("type")
    if node_id is None or not isinstance(kind, str) or not 0 < len(kind) <= MAX_TYPE_LENGTH:
        report.add(
            "bad_node",
            "An entry of nodes is not a node and is left out.",
            node=node_id,
            got=raw if not item else item.get("id") if node_id is None else kind,
            expected="an object with an id and a type",
            level="error",
        )
        return None
    values = item.get("widgets_values")
    return Node(
        node_id,
        kind,
        whole_number(item.get("mode")) or 0,
        _text(item.get("title")),
        tuple(_slot(slot, index) for index, slot in enumerate(as_list(item.get("inputs")))),
        tuple(_slot(slot, index) for index, slot in enumerate(as_list(item.get("outputs")))),
        values if isinstance(values, list | dict) else None,
        as_object(item.get("widgets_values_named")),
        as_object(item.get("properties")),
        _text(item.get("color")),
        _point(item.get("pos")),
    )


def _slot(raw: Any, index: int) -> Slot:
    item = as_object(raw)
    name = _text(item.get("name"))
    return Slot(
        name if name is not None else f"#{index}",
        type_name(item.get("type")),
        id_text(item.get("link")),
        _text(as_object(item.get("widget")).get("name")),
        _text(item.get("label")),
    )


def _links(raw: Any, report: Report) -> dict[str, Link]:
    links: dict[str, Link] = {}
    for item in _items(raw):
        if item is None:
            continue
        link = _link(item)
        if link is None:
            report.add("bad_link", "An entry of links is not a link and is left out.", got=item, expected="six values")
            continue
        links[link.id] = link
    return links


def _link(raw: Any) -> Link | None:
    match raw:
        case [link, origin, origin_slot, target, target_slot, *rest]:
            kind = rest[0] if rest else None
        case {"id": link, "origin_id": origin, "target_id": target}:
            origin_slot, target_slot, kind = raw.get("origin_slot", 0), raw.get("target_slot", 0), raw.get("type")
        case _:
            return None
    ends = id_text(link), id_text(origin), id_text(target)
    slots = whole_number(origin_slot), whole_number(target_slot)
    if None in ends or slots[0] is None or slots[0] < 0 or slots[1] is None:
        return None
    return Link(str(ends[0]), str(ends[1]), slots[0], str(ends[2]), slots[1], type_name(kind))


def _definitions(raw: Mapping[str, Any], report: Report) -> dict[str, Definition]:
    """Return every subgraph definition by id; definitions inside definitions belong to the same list."""
    found: dict[str, Definition] = {}
    pending = [raw]
    while pending:
        for item in _items(as_object(pending.pop().get("definitions")).get("subgraphs")):
            definition_id = id_text(as_object(item).get("id"))
            if definition_id is None or definition_id in found:
                report.add("bad_subgraph", "A subgraph definition has no id of its own and is left out.", got=item)
                continue
            name = _text(item.get("name")) or definition_id
            ports = [tuple(_port(port) for port in as_list(item.get(side))) for side in ("inputs", "outputs")]
            found[definition_id] = Definition(definition_id, name, ports[0], ports[1], parse_graph(item, report))
            pending.append(item)
    return found


def _port(raw: Any) -> Port:
    item = as_object(raw)
    links = (id_text(link) for link in as_list(item.get("linkIds")))
    return Port(_text(item.get("name")) or "", type_name(item.get("type")), tuple(link for link in links if link))


def _boxes(raw: Any) -> tuple[Box, ...]:
    boxes = ((as_object(item), as_list(as_object(item).get("bounding"))) for item in as_list(raw))
    return tuple(
        Box(_text(item.get("title")) or "", *_point(box[:2]), *_point(box[2:4])) for item, box in boxes if len(box) == 4
    )


def _point(raw: Any) -> tuple[float, float]:
    pair = list(raw.values()) if isinstance(raw, dict) else raw
    match pair:
        case [int() | float() as x, int() | float() as y, *_]:
            return _coordinate(x), _coordinate(y)
    return 0.0, 0.0


def _coordinate(value: float) -> float:
    return float(value) if isinstance(value, float) or value.bit_length() < 64 else 0.0


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
