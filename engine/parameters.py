"""What can be set in a workflow from outside, and setting it: ``{"KSampler.seed": 7, "6.text": "a fox"}``."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.choices import nearest
from engine.errors import WorkflowError
from engine.graph import Graph, Node, is_link
from engine.node import NO_DEFAULT, Port, Registry


@dataclass(frozen=True, slots=True)
class Parameter:
    """An input that a value can be given. ``name`` is its shortest address; ``port`` is None for unknown types."""

    name: str
    node: str
    title: str | None
    class_type: str
    input: str
    value: Any
    port: Port | None


def list_parameters(graph: Graph, registry: Registry) -> list[Parameter]:
    """Return every input that no other node feeds, in the order of the file and of the node types."""
    titles = Counter(node.title for node in graph.nodes.values())
    types = Counter(node.class_type for node in graph.nodes.values())
    found = []
    for id, node in graph.nodes.items():
        names = ((node.title, titles[node.title]), (node.class_type, titles[node.class_type] + types[node.class_type]))
        name = next((name for name, count in names if name and count == 1 and name not in graph.nodes), id)
        for input, value, port in _free_inputs(graph, node, registry):
            found.append(Parameter(f"{name}.{input}", id, node.title, node.class_type, input, value, port))
    return found


def _free_inputs(graph: Graph, node: Node, registry: Registry) -> Iterator[tuple[str, Any, Port | None]]:
    """Yield name, value (the default where the file has none) and port of the inputs that hold values."""
    spec = registry.specs.get(node.class_type)
    ports: Mapping[str, Port | None] = spec.ports if spec else dict.fromkeys(node.inputs)
    for name, port in ports.items():
        if name not in node.inputs:
            if port and port.literal:
                yield name, None if port.default is NO_DEFAULT else port.default, port
            continue
        value = node.inputs[name]
        if not (is_link(value) and value[0] in graph.nodes):
            yield name, value["__value__"] if isinstance(value, dict) and "__value__" in value else value, port


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
        found = [node for node in graph.nodes.values() if getattr(node, key) == name]
        if len(found) == 1:
            return found[0].id
        if found:
            raise WorkflowError(
                f"{len(found)} nodes are called {name!r}.",
                got=name,
                expected=", ".join(f"{node.id} ({node.title or node.class_type})" for node in found),
                hint="Use the node's id.",
            )
    choices = {*graph.nodes, *(node.class_type for node in graph.nodes.values())}
    raise WorkflowError(
        f"No node is called {name!r}.",
        got=name,
        expected=nearest(name, choices) or sorted(choices)[:20],
        hint="Name a node by its id, its title or its type.",
    )
