"""A plan as a networkx graph: for export, and for the chain of nodes that the run can't be shorter than."""

import networkx

from engine.plan import Plan
from engine.validate import BoundGraph

START = ""


def as_networkx(graph: BoundGraph, plan: Plan) -> "networkx.DiGraph[str]":
    """Return the planned nodes with ``type``, ``state``, ``why`` and ``seconds`` (low, high), and their links."""
    view: networkx.DiGraph[str] = networkx.DiGraph()
    for id, step in plan.steps.items():
        view.add_node(id, type=graph.nodes[id].spec.type, state=step.state, why=step.why, seconds=step.seconds)
        for name, link in graph.nodes[id].links.items():
            if link.node in plan.steps:
                view.add_edge(link.node, id, input=name, slot=link.slot)
    return view


def critical_path(graph: BoundGraph, plan: Plan) -> tuple[list[str], float]:
    """Return the chain of nodes that takes longest, and its expected seconds at most: other nodes may overlap it."""
    view = as_networkx(graph, plan)
    timed: networkx.DiGraph[str] = networkx.DiGraph()
    for id in view:
        for source in [START, *view.predecessors(id)]:
            timed.add_edge(source, id, seconds=plan.steps[id].seconds[1])
    path = networkx.dag_longest_path(timed, weight="seconds")[1:]
    return path, sum(plan.steps[id].seconds[1] for id in path)
