"""What differs between two workflows."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from engine.graph import Graph, Node


class Difference(NamedTuple):
    """One difference. Without ``input`` the whole node is meant, and ``first`` and ``second`` are its types."""

    node: str
    class_type: str
    input: str | None
    first: Any
    second: Any


def compare(first: Graph, second: Graph) -> list[Difference]:
    """Return what differs, node by node; None stands for what is not there. Nodes are the same by id."""
    ids = dict.fromkeys((*first.nodes, *second.nodes))
    return [found for id in ids for found in _of_node(id, first.nodes.get(id), second.nodes.get(id))]


def _of_node(id: str, first: Node | None, second: Node | None) -> Iterator[Difference]:
    types = (first.class_type if first else None, second.class_type if second else None)
    if first is None or second is None or types[0] != types[1]:
        yield Difference(id, types[1] or types[0] or "", None, *types)
        return
    for name in dict.fromkeys((*first.inputs, *second.inputs)):
        values = first.inputs.get(name), second.inputs.get(name)
        if values[0] != values[1]:
            yield Difference(id, first.class_type, name, *values)
