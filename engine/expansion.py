"""A node that answers with a graph: the graph's nodes join the run, and their outputs become the node's outputs."""

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from engine.binding import BoundNode
from engine.call import Outcome, wire_of
from engine.errors import InputError, ValidationError
from engine.folders import Folders
from engine.graph import Node, is_link, read_graph
from engine.node import Registry
from engine.plan import Sources
from engine.schema import Expanded, LinkTo, NodeSpec
from engine.validate import bind_nodes


@dataclass(frozen=True, slots=True)
class Expansion:
    """What a call answered, and the call's key."""

    expanded: Expanded[Any]
    key: bytes

    @property
    def links(self) -> list[LinkTo]:
        """The outputs of inner nodes that the result is made of."""
        return [item for item in self.expanded.result if isinstance(item, LinkTo)]

    def outcome(self, spec: NodeSpec, tasks: Sources) -> Outcome:
        """Return the result once the inner nodes have their outputs."""
        outcome = Outcome()
        outcome.outputs = tuple(
            (tasks[item.node].outputs or ())[item.slot]
            if isinstance(item, LinkTo)
            else wire_of(outcome, self.key, spec, index, item)
            for index, item in enumerate(self.expanded.result)
        )
        return outcome


def grow(
    expansion: Expansion, node: BoundNode, nodes: dict[str, Node], registry: Registry, folders: Folders
) -> tuple[Expansion, dict[str, Node], dict[str, BoundNode]]:
    """Return the expansion with ids that are free, and its nodes, raw and bound.

    Their links may lead to each other and to ``nodes`` of the run. An id that is taken gets the node's own and a
    number in front: a node that is called for a list of values may use the same ids in each call.

    Raises:
        InputError: the result does not fit the node's outputs.
        ValidationError: the graph is not valid.
    """
    graph = read_graph(expansion.expanded.graph).nodes
    free = {id: _free_id(id, node.id, nodes, graph) for id in graph}
    inner = {free[id]: _renamed(each, free) for id, each in graph.items()}
    result = tuple(
        LinkTo(free.get(item.node, item.node), item.slot) if isinstance(item, LinkTo) else item
        for item in expansion.expanded.result
    )
    everything = ChainMap(inner, nodes)
    bound, faults = bind_nodes(inner, everything, registry, folders)
    if faults:
        raise ValidationError(faults)
    _check_result(result, node.spec, everything, registry)
    return Expansion(replace(expansion.expanded, result=result), expansion.key), inner, bound


def _free_id(id: str, owner: str, nodes: Mapping[str, Node], graph: Mapping[str, Node]) -> str:
    if id not in nodes:
        return id
    candidates = (f"{owner}.{number}.{id}" for number in count(1))
    return next(candidate for candidate in candidates if candidate not in nodes and candidate not in graph)


def _renamed(node: Node, free: Mapping[str, str]) -> Node:
    inputs = {
        name: [free[value[0]], value[1]] if is_link(value) and value[0] in free else value
        for name, value in node.inputs.items()
    }
    return Node(free[node.id], node.class_type, inputs, node.title)


def _check_result(result: Sequence[Any], spec: NodeSpec, nodes: Mapping[str, Node], registry: Registry) -> None:
    def exists(link: LinkTo) -> bool:
        source = registry.specs.get(nodes[link.node].class_type) if link.node in nodes else None
        return source is not None and 0 <= link.slot < len(source.outputs)

    wrong = [item for item in result if isinstance(item, LinkTo) and not exists(item)]
    if len(result) != len(spec.outputs) or wrong:
        raise InputError(
            "The expansion's result does not fit the node's outputs.",
            got=wrong or result,
            expected=[slot.name for slot in spec.outputs],
            hint="Give one value or one link to a node of the expansion per output.",
        )
