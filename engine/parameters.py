"""Set inputs of a workflow from outside: ``{"KSampler.seed": 7, "6.text": "a fox"}``."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from engine.errors import WorkflowError
from engine.graph import Graph
from engine.validate import nearest


def set_parameters(graph: Graph, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the workflow's API form with inputs replaced. A node is named by its id, its title or its type.

    Raises:
        WorkflowError: a name fits no node, or several.
    """
    prompt: dict[str, Any] = deepcopy(dict(graph.prompt))
    for address, value in parameters.items():
        name, dot, field = address.rpartition(".")
        if not dot or not name or not field:
            raise WorkflowError(
                f"{address!r} names no input.", got=address, expected="NODE.INPUT", hint="For example KSampler.seed=7."
            )
        inputs = prompt[find_node(graph, name)].setdefault("inputs", {})
        inputs[field] = value
    return prompt


def find_node(graph: Graph, name: str) -> str:
    """Return the id of the node that ``name`` means.

    Raises:
        WorkflowError: there is none, or more than one.
    """
    if name in graph.nodes:
        return name
    for key in ("title", "class_type"):
        found = [id for id, node in graph.nodes.items() if getattr(node, key) == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise WorkflowError(
                f"{len(found)} nodes are called {name!r}.", got=name, expected=found, hint="Use the node's id."
            )
    choices = {*graph.nodes, *(node.class_type for node in graph.nodes.values())}
    raise WorkflowError(
        f"No node is called {name!r}.",
        got=name,
        expected=nearest(name, choices) or sorted(choices)[:20],
        hint="Name a node by its id, its title or its type.",
    )
