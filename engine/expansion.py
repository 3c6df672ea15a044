"""A node that answers with a graph: the graph's nodes join the run, and their outputs become the node's outputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from engine.call import Outcome
from engine.errors import InputError, ValidationError
from engine.folders import Folders
from engine.graph import Node, read_graph
from engine.keys import Digests
from engine.node import Registry
from engine.schema import Expanded, LinkTo
from engine.validate import BoundNode, Choices, bind, cycle_faults, unknown_type
from engine.values import pack


class HasOutputs(Protocol):
    @property
    def outputs(self) -> tuple[Digests, ...] | None: ...


@dataclass(frozen=True, slots=True)
class Expansion:
    """What a call answered, and the call's key."""

    expanded: Expanded[Any]
    key: bytes

    @property
    def links(self) -> list[LinkTo]:
        """The outputs of inner nodes that the result is made of."""
        return [item for item in self.expanded.result if isinstance(item, LinkTo)]

    def outcome(self, tasks: Mapping[str, HasOutputs]) -> Outcome:
        """Return the result once the inner nodes have their outputs."""
        outcome = Outcome()
        slots: list[Digests] = []
        for item in self.expanded.result:
            if isinstance(item, LinkTo):
                slots.append((tasks[item.node].outputs or ())[item.slot])
            else:
                packed = pack(item)
                outcome.values[packed.digest] = (item, packed)
                slots.append((packed.digest,))
        outcome.outputs = tuple(slots)
        return outcome


def grow(
    expansion: Expansion, node: BoundNode, nodes: Mapping[str, Node], registry: Registry, folders: Folders
) -> tuple[dict[str, Node], dict[str, BoundNode]]:
    """Return the inner nodes, raw and bound. Their links may lead to each other and to ``nodes`` of the run.

    Raises:
        InputError: the result does not fit the node's outputs, or an id is taken.
        ValidationError: the graph is not valid.
    """
    inner = dict(read_graph(expansion.expanded.graph).nodes)
    taken = sorted(inner.keys() & nodes.keys())
    if taken:
        raise InputError(
            "The expansion uses a node id that is taken.",
            got=taken[0],
            expected="ids of its own",
            hint=f"Put the node's own id in front: '{node.id}.{taken[0]}'.",
        )
    wrong = [link.node for link in expansion.links if link.node not in inner and link.node not in nodes]
    if len(expansion.expanded.result) != len(node.spec.outputs) or wrong:
        raise InputError(
            "The expansion's result does not fit the node's outputs.",
            got=expansion.expanded.result,
            expected=[slot.name for slot in node.spec.outputs],
            hint="Give one value or one link to a node of the expansion per output.",
        )
    everything = {**nodes, **inner}
    choices = Choices(folders)
    bound: dict[str, BoundNode] = {}
    faults = []
    for id, raw in inner.items():
        spec = registry.specs.get(raw.class_type)
        if spec is None:
            faults.append(unknown_type(raw, registry))
            continue
        literals, links, found = bind(raw, spec, everything, registry, choices)
        faults += found
        bound[id] = BoundNode(id, spec, literals, links)
    faults += cycle_faults(bound)
    if faults:
        raise ValidationError(faults)
    return inner, bound
