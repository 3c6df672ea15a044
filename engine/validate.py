"""Check a graph against the node types, and report every fault at once.

The result is what the planner and the scheduler work on: nodes whose literals are cast to their declared type and
whose links lead to outputs that exist and fit.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.binding import BoundNode, bind, shaped, unknown_type
from engine.choices import Choices
from engine.cycles import cycle_faults
from engine.errors import Fault, ValidationError, WorkflowError
from engine.folders import Folders
from engine.garbage import collected_later
from engine.graph import Graph, Node, is_link
from engine.node import Registry
from engine.spelling import nearest


@dataclass(frozen=True, slots=True)
class BoundGraph:
    """A valid graph: every node that the wanted nodes can reach. ``faults`` are those of parts left out."""

    nodes: dict[str, BoundNode]
    targets: tuple[str, ...]
    graph: Graph
    faults: tuple[Fault, ...] = ()


@collected_later
def validate(
    graph: Graph,
    registry: Registry,
    folders: Folders,
    *,
    targets: Collection[str] | None = None,
    also: Collection[str] = (),
    partial: bool = False,
) -> BoundGraph:
    """Bind a graph to node types.

    ``targets`` are the wanted nodes; without them, all output nodes; ``also`` are wanted besides. ``partial`` leaves
    out the wanted nodes that are hit by a fault and keeps the rest. Faults of nodes that no wanted node needs
    never refuse the graph.

    Raises:
        ValidationError: a wanted node (with ``partial``: every one) is hit by a fault.
        WorkflowError: there is nothing to run, or a target is not in the graph.
    """
    bound, faults = bind_all(graph, registry, folders)
    wanted = _wanted(graph, registry, targets, also)
    if not faults:
        return BoundGraph(bound, wanted, graph)
    return _without_faults(graph, bound, wanted, faults, partial)


def bind_all(graph: Graph, registry: Registry, folders: Folders) -> tuple[dict[str, BoundNode], list[Fault]]:
    """Return the nodes whose type is known, bound as far as they are valid, and everything that is wrong."""
    bound, faults = bind_nodes(graph.nodes, graph.nodes, registry, folders)
    found = [fault for check in registry.checks for fault in check(bound, folders)]
    return bound, [*faults, *found]


def bind_nodes(
    given: Mapping[str, Node], nodes: Mapping[str, Node], registry: Registry, folders: Folders
) -> tuple[dict[str, BoundNode], list[Fault]]:
    """Bind some of the ``nodes`` that links may lead to, and say what is wrong with each and with them together."""
    choices = Choices(folders)
    bound: dict[str, BoundNode] = {}
    faults: list[Fault] = []
    sources_first = True
    for id, node in given.items():
        spec = registry.specs.get(node.class_type)
        if spec is None:
            faults.append(unknown_type(node, registry))
            continue
        spec = shaped(spec, node)
        literals, links, found = bind(node, spec, nodes, registry, choices)
        faults += found
        for link in links.values():
            if link.node not in bound:
                sources_first = False
        bound[id] = BoundNode(id, spec, literals, links)
    if not sources_first:
        faults += cycle_faults(bound)
    return bound, faults


def _wanted(
    graph: Graph, registry: Registry, targets: Collection[str] | None, also: Collection[str]
) -> tuple[str, ...]:
    for id in (*(targets or ()), *also):
        if id not in graph.nodes:
            near = nearest(id, graph.nodes)
            raise WorkflowError(
                f"There is no node {id!r} to run.",
                got=id,
                expected=near or list(graph.nodes)[:20],
                hint="Name a node id.",
            )
    lack = "The workflow has no output node" if targets is None else "None of the workflow's nodes is asked for"
    if targets is None:
        specs = ((id, registry.specs.get(node.class_type)) for id, node in graph.nodes.items())
        targets = [id for id, spec in specs if spec and spec.output_node]
    wanted = tuple(dict.fromkeys((*targets, *also)))
    if not wanted and all(node.class_type in registry for node in graph.nodes.values()):
        raise ValidationError([Fault(
            "prompt_no_outputs",
            f"{lack}, so nothing would run.",
            got=f"{len(graph.nodes)} nodes of other kinds",
            expected="a node that saves or shows something, such as SaveImage",
            hint="Add an output node, or name the nodes to run.",
        )])  # fmt: skip
    return wanted


def _without_faults(
    graph: Graph, bound: dict[str, BoundNode], wanted: Sequence[str], faults: list[Fault], partial: bool
) -> BoundGraph:
    """Spread the faults to the wanted nodes that depend on them, and refuse or leave those out."""
    links = {id: sources(id, graph.nodes, bound) for id in graph.nodes}
    depend = _depend({str(fault.node) for fault in faults}, wanted, links)
    spread = [replace(fault, outputs=tuple(depend.get(str(fault.node), ()))) for fault in faults]
    hit = {target for fault in spread for target in fault.outputs}
    left = tuple(target for target in wanted if target not in hit)
    if (hit and not (partial and left)) or not wanted:
        raise ValidationError([fault for fault in spread if fault.outputs] or spread)
    needed = _reach(left, links)
    return BoundGraph({id: bound[id] for id in bound if id in needed}, left, graph, tuple(spread))


def sources(id: str, nodes: Mapping[str, Node], bound: Mapping[str, BoundNode]) -> list[str]:
    """Return the nodes that a node is linked to; of an unbound node, as far as its raw links say."""
    if id in bound:
        return [link.node for link in bound[id].links.values()]
    return [value[0] for value in nodes[id].inputs.values() if is_link(value)]


def _depend(
    faulty: Collection[str], wanted: Sequence[str], links: Mapping[str, Sequence[str]]
) -> Mapping[str, Sequence[str]]:
    """Return for each faulty node the wanted nodes that depend on it. Walks from the side that has fewer nodes."""
    depend: dict[str, list[str]] = {}
    if len(wanted) < len(faulty):
        for target in wanted:
            for node in _reach([target], links).intersection(faulty):
                depend.setdefault(node, []).append(target)
        return depend
    users: dict[str, list[str]] = {}
    for id, found in links.items():
        for source in found:
            users.setdefault(source, []).append(id)
    for node in faulty:
        below = _reach([node], users)
        depend[node] = [target for target in wanted if target in below]
    return depend


def _reach(start: Collection[str], links: Mapping[str, Sequence[str]]) -> set[str]:
    """Return the ids from which links can be followed, themselves included, and all they lead to."""
    seen: set[str] = set()
    stack = list(start)
    while stack:
        id = stack.pop()
        if id not in seen:
            seen.add(id)
            stack += links.get(id, ())
    return seen
