"""Build the graph that a node answers with: the module ``comfy_execution.graph_utils``."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from engine.context import Context
from nodes.packs import current


def is_link(obj: object) -> bool:
    """Whether a value is a link: a list of a node's id and the number of its output."""
    return (
        isinstance(obj, list)
        and len(obj) == 2
        and isinstance(obj[0], str)
        and isinstance(obj[1], int | float)
        and not isinstance(obj[1], bool)
    )


class Node:
    """One node of a graph that is being built."""

    def __init__(self, id: str, class_type: str, inputs: Mapping[str, Any]) -> None:
        self.id = id
        self.class_type = class_type
        self.inputs = dict(inputs)
        self.override_display_id: str | None = None

    def out(self, index: int) -> list[Any]:
        """Return the link to an output."""
        return [self.id, index]

    def set_input(self, key: str, value: Any) -> None:
        """Set an input to a value or a link; None takes it away."""
        if value is None:
            self.inputs.pop(key, None)
        else:
            self.inputs[key] = value

    def get_input(self, key: str) -> Any:
        """Return the value or link of an input, or None."""
        return self.inputs.get(key)

    def set_override_display_id(self, override_display_id: str) -> None:
        """Say which node of the workflow shows what this one does."""
        self.override_display_id = override_display_id

    def serialize(self) -> dict[str, Any]:
        """Return the node as it stands in a graph in API format."""
        shown = {} if self.override_display_id is None else {"override_display_id": self.override_display_id}
        return {"class_type": self.class_type, "inputs": dict(self.inputs), **shown}


_numbers: "WeakKeyDictionary[Context, count[int]]" = WeakKeyDictionary()


class GraphBuilder:
    """A graph in API format. Its ids begin with ``prefix``, by default one that no other graph of the run has."""

    def __init__(self, prefix: str | None = None) -> None:
        self.prefix = self.alloc_prefix() if prefix is None else prefix
        self.nodes: dict[str, Node] = {}
        self.id_gen = count(1)

    @classmethod
    def alloc_prefix(cls, root: str | None = None, call_index: int = 0, graph_index: int | None = None) -> str:
        """Return what the ids of a graph of the node that runs, or of ``root``, begin with."""
        context = current.context()
        if graph_index is None:
            graph_index = next(_numbers.setdefault(context, count())) if context else 0
        return f"{root or (context.node if context else '')}.{call_index}.{graph_index}."

    def node(self, class_type: str, id: str | None = None, **kwargs: Any) -> Node:
        """Return a node with inputs, which is made where none has the id."""
        name = f"{self.prefix}{next(self.id_gen) if id is None else id}"
        return self.nodes.setdefault(name, Node(name, class_type, kwargs))

    def lookup_node(self, id: str) -> Node | None:
        """Return the node that was made with an id, or None."""
        return self.nodes.get(f"{self.prefix}{id}")

    def finalize(self) -> dict[str, Any]:
        """Return the graph in API format."""
        return {id: node.serialize() for id, node in self.nodes.items()}

    def replace_node_output(self, node_id: str, index: int, new_value: Any) -> None:
        """Put a value or link where an output was linked to; None takes those inputs away."""
        link = [f"{self.prefix}{node_id}", index]
        for node in self.nodes.values():
            for name in [name for name, value in node.inputs.items() if is_link(value) and value == link]:
                node.set_input(name, new_value)

    def remove_node(self, id: str) -> None:
        """Take a node away."""
        del self.nodes[f"{self.prefix}{id}"]


def add_graph_prefix(
    graph: Mapping[str, Mapping[str, Any]], outputs: Sequence[Any], prefix: str
) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """Return a graph and links into it with another beginning of its ids."""

    def moved(value: Any) -> Any:
        return [f"{prefix}{value[0]}", value[1]] if is_link(value) else value

    renamed = {
        f"{prefix}{id}": {**node, "inputs": {name: moved(value) for name, value in node.get("inputs", {}).items()}}
        for id, node in graph.items()
    }
    return renamed, tuple(moved(output) for output in outputs)
