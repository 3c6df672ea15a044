"""What differs between two workflows, and between what two files say of how they were made."""

from collections.abc import Iterator, Mapping
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


class Circumstance(NamedTuple):
    """A difference outside the graphs: a file's content, a version, a setting. None stands for what is not there."""

    kind: str
    name: str
    first: Any
    second: Any


def compare_made(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Circumstance]:
    """Return what differs in files, versions and settings between the provenance of two files."""
    sides = [dict(_circumstances(made)) for made in (first, second)]
    keys = dict.fromkeys((*sides[0], *sides[1]))
    pairs = ((key, sides[0].get(key), sides[1].get(key)) for key in keys)
    return [Circumstance(*key, one, two) for key, one, two in pairs if one != two]


def _circumstances(made: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Any]]:
    for file in made.get("files", ()):
        yield ("file", f"{file['kind']}/{file['name']}"), file["blake3"]
    for kind, group in (("version", "versions"), ("setting", "settings")):
        for name, value in made.get(group, {}).items():
            yield (kind, name), value
