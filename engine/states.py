"""The state of every node of a graph, whether or not an output needs it: what an editor shows while it is edited."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from engine.binding import BoundNode
from engine.errors import Fault, LoomisError, shortened
from engine.folders import Folders
from engine.garbage import collected_later
from engine.graph import Graph
from engine.keys import Digests
from engine.memo import Memo
from engine.node import Registry
from engine.plan import Plan, Planner
from engine.validate import BoundGraph, bind_all, sources

State = Literal["remembered", "runs", "depends", "invalid"]


@dataclass(frozen=True, slots=True)
class NodeState:
    """What would happen to a node in a run to it.

    An ``invalid`` node has ``faults`` of its own, or depends on the invalid nodes in ``blocked_by``. ``outputs`` are
    the digests on each output of a remembered node; ``seconds`` the range that a node that runs is expected to take.
    """

    state: State
    why: str = ""
    seconds: tuple[float, float] = (0.0, 0.0)
    faults: tuple[Fault, ...] = ()
    blocked_by: tuple[str, ...] = ()
    outputs: tuple[Digests, ...] = ()


@collected_later
def node_states(
    graph: Graph, registry: Registry, folders: Folders, memo: Memo, profile: tuple[str, ...]
) -> dict[str, NodeState]:
    """Return the state of every node, in the order of the graph."""
    bound, found = bind_all(graph, registry, folders)
    faults: dict[str, list[Fault]] = {}
    for fault in found:
        faults.setdefault(str(fault.node), []).append(fault)
    blocked = _blocked(graph, bound, faults)
    while True:
        valid = {id: node for id, node in bound.items() if id not in faults and id not in blocked}
        try:
            plan = Planner(BoundGraph(valid, tuple(valid), graph), memo, profile, memo.fingerprint).plan()
            break
        except LoomisError as error:  # a file that can't be read, or a node's own check of what went into it
            if error.node not in valid:
                raise
            faults[error.node] = [as_fault(error)]
            blocked = _blocked(graph, bound, faults)
    return {id: _state(id, plan, faults, blocked) for id in graph.nodes}


def as_fault(error: LoomisError) -> Fault:
    """Return an error of a node as a reason why it is not valid."""
    got, expected = (None if part is None else shortened(part) for part in (error.got, error.expected))
    return Fault(error.code, error.message, error.node, error.class_type, error.input, got, expected, error.hint)


def _state(id: str, plan: Plan, faults: Mapping[str, list[Fault]], blocked: Mapping[str, tuple[str, ...]]) -> NodeState:
    if id in plan.steps:
        step = plan.steps[id]
        outputs = step.outputs if step.state == "remembered" else None
        return NodeState(step.state, step.why, step.seconds, outputs=outputs or ())
    return NodeState("invalid", faults=tuple(faults.get(id, ())), blocked_by=blocked.get(id, ()))


def _blocked(graph: Graph, bound: Mapping[str, BoundNode], faults: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the nodes below those with faults, each with the invalid nodes that it is linked to."""
    users: dict[str, list[str]] = {}
    for id in graph.nodes:
        for source in dict.fromkeys(sources(id, graph.nodes, bound)):
            users.setdefault(source, []).append(id)
    blocked: dict[str, tuple[str, ...]] = {}
    todo = list(faults)
    seen = set(todo)
    while todo:
        source = todo.pop()
        for user in users.get(source, ()):
            blocked[user] = (*blocked.get(user, ()), source)
            if user not in seen:
                seen.add(user)
                todo.append(user)
    return blocked
