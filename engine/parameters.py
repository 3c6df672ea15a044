"""Set inputs of a workflow from outside: ``{"KSampler.seed": 7, "6.text": "a fox"}``."""

from collections.abc import Mapping
from typing import Any

from engine.errors import WorkflowError
from engine.graph import Graph, Node
from engine.node import Registry
from engine.validate import nearest


def set_parameters(graph: Graph, parameters: Mapping[str, Any], registry: Registry) -> dict[str, Any]:
    """Return the workflow's API form with inputs replaced. A node is named by its id, its title or its type.

    Raises:
        WorkflowError: a name fits no node, or several, or the node has no such input.
    """
    prompt: dict[str, Any] = dict(graph.prompt)
    for address, value in parameters.items():
        name, dot, field = address.rpartition(".")
        if not dot or not name or not field:
            raise WorkflowError(
                f"{address!r} names no input.", got=address, expected="NODE.INPUT", hint="For example KSampler.seed=7."
            )
        id = find_node(graph, name)
        _check_input(graph.nodes[id], field, registry)
        prompt[id] = {**prompt[id], "inputs": {**prompt[id].get("inputs", {}), field: value}}
    return prompt


def _check_input(node: Node, field: str, registry: Registry) -> None:
    spec = registry.specs.get(node.class_type)
    known = {*node.inputs, *(spec.ports if spec else ())}
    if field not in known:
        raise WorkflowError(
            f"Node {node.id} ({node.class_type}) has no input {field!r}.",
            node=node.id,
            input=field,
            got=field,
            expected=nearest(field, known) or sorted(known),
            hint=f"See `loomis nodes {node.class_type}`.",
        )


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
