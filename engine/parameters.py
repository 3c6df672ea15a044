"""What can be set in a workflow from outside, and setting it: ``{"KSampler.seed": 7, "6.text": "a fox"}``.

A parameter is named by what the file declares, by ``NODE.INPUT`` (NODE is an id, a title or a type), or by the name of
an input that only one node has.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from engine.choices import BadInput
from engine.errors import Fault, ValidationError, WorkflowError
from engine.graph import Graph, Node, is_link
from engine.node import NO_DEFAULT, Port, Registry
from engine.spelling import nearest

if TYPE_CHECKING:
    from engine.declarations import Declaration
    from engine.formats.replace import Prefix

Declarations: TypeAlias = Mapping[str, "Declaration"]


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


def list_declared(graph: Graph, declarations: Declarations, registry: Registry) -> list[Parameter]:
    """Return the declared parameters, each where its first input is, with what it takes and its default.

    Raises:
        WorkflowError: one names no input.
    """
    found = []
    for name, declaration in declarations.items():
        id, input = find_input(graph, declaration.input[0], registry)
        node = graph.nodes[id]
        port = _port(node, input, registry)
        value = node.inputs.get(input, port.default if port else None)
        value = declaration.default if declaration.default is not None else None if value is NO_DEFAULT else value
        found.append(Parameter(name, id, node.title, node.class_type, input, value, declaration.port(port)))
    return found


def set_parameters(
    graph: Graph,
    parameters: Mapping[str, Any],
    registry: Registry,
    declarations: Declarations | None = None,
    prefixes: Mapping[tuple[str, str], "Prefix"] | None = None,
) -> dict[str, Any]:
    """Return the workflow's API form with inputs replaced. Declared parameters that are not given get their default.

    ``prefixes`` are filled in anew where a value that they follow was replaced.

    Raises:
        WorkflowError: a name fits no input or several, or two names give one input different values.
        ValidationError: values that declared parameters don't take; ``faults`` lists all.
    """
    prompt: dict[str, Any] = dict(graph.prompt)
    assigned = _assigned(graph, parameters, registry, declarations or {})
    for (id, input), value in assigned.items():
        prompt[id] = {**prompt[id], "inputs": {**prompt[id].get("inputs", {}), input: value}}
    for (id, input), prefix in (prefixes or {}).items():
        if (id, input) not in assigned and not assigned.keys().isdisjoint(prefix.sources.values()):
            prompt[id] = {**prompt[id], "inputs": {**prompt[id]["inputs"], input: prefix.filled(prompt)}}
    return prompt


def _assigned(
    graph: Graph, parameters: Mapping[str, Any], registry: Registry, declarations: Declarations
) -> dict[tuple[str, str], Any]:
    """Return (node, input) -> value."""
    faults: list[Fault] = []
    given: dict[tuple[str, str], tuple[str, Any]] = {}
    for name, value in parameters.items():
        for place, cast in _placed(graph, name, value, registry, declarations, faults):
            other, before = given.setdefault(place, (name, cast))
            if before != cast:
                raise WorkflowError(
                    f"{other} and {name} give one input different values.",
                    node=place[0],
                    input=place[1],
                    got=[before, cast],
                    hint="Give one of them.",
                )
    found: dict[tuple[str, str], Any] = {}
    for name, declaration in declarations.items():
        if name not in parameters and declaration.default is not None:
            found |= _placed(graph, name, declaration.default, registry, declarations, faults)
    if faults:
        raise ValidationError(faults)
    return found | {place: value for place, (_, value) in given.items()}


def _placed(
    graph: Graph, name: str, value: Any, registry: Registry, declarations: Declarations, faults: list[Fault]
) -> list[tuple[tuple[str, str], Any]]:
    """Return the inputs that a name means, with the value as they get it. What is declared is checked first."""
    places = find_places(graph, name, registry, declarations)
    if name not in declarations:
        return [(places[0], value)]
    id, input = places[0]
    try:
        value = declarations[name].value(value, _port(graph.nodes[id], input, registry))
    except BadInput as error:
        faults.append(_parameter_fault(name, error, places[0], graph))
    return [(place, value) for place in places]


def _parameter_fault(name: str, error: BadInput, place: tuple[str, str], graph: Graph) -> Fault:
    fault = error.fault(graph.nodes[place[0]], Port(place[1], "*"))
    return replace(fault, message=f"The parameter {name}: {error.message}")


def resolved_parameters(
    graph: Graph, parameters: Mapping[str, Any], registry: Registry, declarations: Declarations
) -> dict[str, Any]:
    """Return the declared parameters, and others that were given, with the values that ``graph`` has for them."""
    found = {}
    for name in (*declarations, *(name for name in parameters if name not in declarations)):
        id, input = find_places(graph, name, registry, declarations)[0]
        port = _port(graph.nodes[id], input, registry)
        default = port.default if port and port.default is not NO_DEFAULT else None
        found[name] = graph.nodes[id].inputs.get(input, default)
    return found


def find_places(graph: Graph, name: str, registry: Registry, declarations: Declarations) -> list[tuple[str, str]]:
    """Return the node and the input of each place that a parameter's value goes to.

    Raises:
        WorkflowError: the name fits no input, or several.
    """
    inputs = declarations[name].input if name in declarations else (name,)
    return [find_input(graph, each, registry, declarations) for each in inputs]


def find_input(graph: Graph, name: str, registry: Registry, declared: Iterable[str] = ()) -> tuple[str, str]:
    """Return the node and the input that ``NODE.INPUT`` means, or INPUT where only one node has it.

    Raises:
        WorkflowError: there is none, or more than one. It tells the nearest, also among parameters that are
            ``declared``.
    """
    node, _, input = name.rpartition(".")
    if node and input:
        id = find_node(graph, node)
        _check_input(graph.nodes[id], input, registry)
        return id, input
    free = list_parameters(graph, registry)
    found = [each for each in free if each.input == name]
    if len(found) == 1:
        return found[0].node, name
    if found:
        raise WorkflowError(
            f"{len(found)} inputs are called {name!r}.",
            got=name,
            expected=", ".join(each.name for each in found),
            hint="Name the node too.",
        )
    spelled = {each.name.rpartition(".")[0]: each.name for each in reversed(free)}
    spelled |= {each: each for each in (*(each.input for each in free), *declared)}
    near = spelled.get(nearest(name, spelled) or "")
    raise WorkflowError(
        f"{name!r} names no input.",
        got=name,
        expected=near or "a declared parameter, NODE.INPUT, or an INPUT that one node has",
        hint=_meant(near, "`loomis params` lists what there is."),
    )


def _meant(near: str | None, otherwise: str) -> str:
    return f"Did you mean {near!r}? If not, {otherwise}" if near else otherwise


def _port(node: Node, input: str, registry: Registry) -> Port | None:
    spec = registry.specs.get(node.class_type)
    return spec.ports.get(input) if spec else None


def _check_input(node: Node, field: str, registry: Registry) -> None:
    spec = registry.specs.get(node.class_type)
    known = {*node.inputs, *(spec.ports if spec else ())}
    if field not in known:
        near = nearest(field, known)
        raise WorkflowError(
            f"Node {node.id} ({node.class_type}) has no input {field!r}.",
            node=node.id,
            input=field,
            got=field,
            expected=near or sorted(known),
            hint=_meant(near, f"`loomis nodes {node.class_type}` shows all."),
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
    titles = {node.title for node in graph.nodes.values() if node.title}
    choices = {*graph.nodes, *titles, *(node.class_type for node in graph.nodes.values())}
    near = nearest(name, choices)
    raise WorkflowError(
        f"No node is called {name!r}.",
        got=name,
        expected=near or sorted(choices)[:20],
        hint=_meant(near, "name a node by its id, its title or its type."),
    )
