"""Bind one node to its type: its literals cast, its links leading to outputs that exist and fit."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from engine.casts import cast
from engine.choices import BadInput, Choices
from engine.errors import Fault, LoomisError, shortened
from engine.graph import SEQUENCE, Link, Node, is_link
from engine.node import Registry
from engine.schema import Mentions, NodeSpec, Port
from engine.spelling import nearest

COMPARED = 100
"""Nodes among which the one that a wrong link may mean is looked for: all of them would take long in a large graph."""


TAKE_LISTS = frozenset({"*", "LIST"})
"""The types of inputs whose value may be a list."""


class BoundNode(NamedTuple):
    """A valid node: its type, its literals as their declared types, its links."""

    id: str
    spec: NodeSpec
    literals: Mapping[str, Any]
    links: Mapping[str, Link]


def unknown_type(node: Node, registry: Registry) -> Fault:
    near = nearest(node.class_type, registry.specs, cutoff=0.7)
    return Fault(
        code="missing_node_type",
        message=f"Node {node.id}: there is no node type {shortened(node.class_type)!r}.",
        node=node.id,
        class_type=node.class_type,
        got=shortened(node.class_type),
        expected=near,
        hint=_where(node, near),
    )


def _where(node: Node, near: str | None) -> str:
    """Return where a node type may be found."""
    if node.pack:
        return node.pack
    guess = f"Did you mean {near}?" if near else "Run `loomis nodes` for the list."
    return f"{guess} If a node pack has it, name the folder of the pack with --custom-nodes."


def bind(
    node: Node, spec: NodeSpec, nodes: Mapping[str, Node], registry: Registry, choices: "Choices"
) -> tuple[dict[str, Any], dict[str, Link], list[Fault]]:
    """Return a node's literals as their declared types, its links, and everything that is wrong with them."""
    literals: dict[str, Any] = {}
    links: dict[str, Link] = {}
    faults: list[Fault] = []
    given = node.inputs
    for name, port in spec.ports.items():
        if name not in given:
            if port.required:
                faults.append(_missing(node, port))
            elif port.default is not None:
                literals[name] = port.default
            continue
        value = given[name]
        if value is None and port.default is None:
            continue
        try:
            if _means_link(value, port, nodes):
                links[name] = _link(value, port, nodes, registry)
                continue
            wrapped = isinstance(value, dict) and "__value__" in value
            literals[name] = cast(value["__value__"] if wrapped else value, port, choices)
            if isinstance(port.mentions, Mentions) and isinstance(literals[name], str):
                choices.check_mentions(literals[name], port.mentions)
            if name in spec.validate:
                _custom(spec.validate[name], port, literals[name])
        except BadInput as bad:
            faults.append(bad.fault(node, port))
    if spec.check and not faults:
        faults = [bad.fault(node, spec.ports[name]) for name, bad in _check(spec, literals, links, nodes, registry)]
    return literals, links, faults


def _means_link(value: object, port: Port, nodes: Mapping[str, Node]) -> bool:
    """Tell a link from a list that is meant as a value, by the declared type: most inputs take no lists."""
    if not isinstance(value, SEQUENCE):
        return False
    takes_lists = not TAKE_LISTS.isdisjoint(port.type.split(","))
    return not takes_lists or (is_link(value) and value[0] in nodes)


def _missing(node: Node, port: Port) -> Fault:
    what = "a value" if port.literal else "a link"
    return BadInput(
        "required_input_missing", "it is missing.", None, f"{what} of type {port.type}", f"Give it {what}."
    ).fault(node, port)


def _link(value: list[Any], port: Port, nodes: Mapping[str, Node], registry: Registry) -> Link:
    if not is_link(value):
        raise BadInput(
            "bad_linked_input",
            "the list is no link.",
            value,
            '["node id", slot]',
            'Wrap a list that is meant as a value: {"__value__": [...]}.',
        )
    id, slot = value[0], value[1]
    if id not in nodes:
        some = list(islice(nodes, COMPARED))
        raise BadInput(
            "bad_linked_input",
            f"it is linked to node {shortened(id, 60)!r}, which is not in the workflow.",
            value,
            nearest(id, some) or f"one of {', '.join(some)}",
            "Link it to a node that is there.",
        )
    source = registry.specs.get(nodes[id].class_type)
    if source is None:
        return Link(id, int(slot))
    if slot != int(slot) or not 0 <= slot < len(source.outputs):
        names = ", ".join(f"{index} ({output.name})" for index, output in enumerate(source.outputs))
        raise BadInput(
            "bad_linked_input",
            f"node {id!r} ({source.type}) has no output {shortened(slot, 60)}.",
            value,
            names or "no outputs",
            "Link it to an output that exists.",
        )
    given = source.outputs[int(slot)].type
    if not port.any_link and not compatible(given, port.type):
        fitting = [index for index, output in enumerate(source.outputs) if compatible(output.type, port.type)]
        hint = f"Output {fitting[0]} of node {id!r} fits." if fitting else f"Link it to a node that gives {port.type}."
        raise BadInput(
            "return_type_mismatch", f"it wants {port.type} and is linked to {given}.", given, port.type, hint
        )
    return Link(id, int(slot))


def compatible(given: str, wanted: str) -> bool:
    """Whether an output type may be linked to an input type: equal, either is ``*``, or their lists overlap."""
    if given == wanted or given == "*" or wanted == "*":
        return True
    return not set(given.split(",")).isdisjoint(wanted.split(","))


def shaped(spec: NodeSpec, node: Node) -> NodeSpec:
    """Return a node's type with the inputs that it has in this workflow."""
    return spec.shape(node.inputs) if spec.shape else spec


def _check(
    spec: NodeSpec,
    literals: Mapping[str, Any],
    links: Mapping[str, Link],
    nodes: Mapping[str, Node],
    registry: Registry,
) -> Iterator[tuple[str, BadInput]]:
    """Let a foreign node judge its inputs together."""
    sources = {name: registry.specs.get(nodes[link.node].class_type) for name, link in links.items()}
    types = {name: source.outputs[links[name].slot].type for name, source in sources.items() if source}
    try:
        wrong = spec.check(literals, types) if spec.check else {}
    except LoomisError as error:
        wrong = {next(iter(spec.ports)): error.message}
    for name, message in wrong.items():
        value = literals.get(name)
        yield name, BadInput("custom_validation_failed", message, value, None, "Give it another value.")


def _custom(hook: Callable[..., str | None], port: Port, value: Any) -> None:
    try:
        wrong = hook(value)
    except LoomisError as error:
        raise BadInput("custom_validation_failed", error.message, value, error.expected, error.hint) from None
    except Exception as error:
        raise BadInput(
            "exception_during_validation",
            f"its check failed: {type(error).__name__}: {shortened(str(error))}",
            value,
            "a value that the node can check",
            "Report this node.",
        ) from error
    if wrong is not None:
        raise BadInput("custom_validation_failed", wrong, value, None, "Give it another value.")
