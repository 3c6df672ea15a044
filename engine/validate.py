"""Check a graph against the node types, and report every fault at once.

The result is what the planner and the scheduler work on: nodes whose literals are cast to their declared type and
whose links lead to outputs that exist and fit.
"""

import difflib
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from engine.errors import Fault, FileError, LoomisError, ValidationError, WorkflowError, shortened
from engine.folders import Folders
from engine.garbage import collected_later
from engine.graph import Graph, Link, Node, is_link
from engine.node import Registry
from engine.schema import Files, InputFile, NodeSpec, Port

DEEPEST = 100
"""Levels of lists and objects in a literal."""


@dataclass(frozen=True, slots=True)
class BoundNode:
    """A valid node: its type, its literals as their declared types, its links."""

    id: str
    spec: NodeSpec
    literals: Mapping[str, Any]
    links: Mapping[str, Link]


@dataclass(frozen=True, slots=True)
class BoundGraph:
    """A valid graph: every node that the wanted nodes can reach. ``faults`` are those of parts left out."""

    nodes: dict[str, BoundNode]
    targets: tuple[str, ...]
    graph: Graph
    faults: tuple[Fault, ...] = ()


@collected_later()
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
    choices = Choices(folders)
    bound: dict[str, BoundNode] = {}
    faults: list[Fault] = []
    for node in graph.nodes.values():
        spec = registry.specs.get(node.class_type)
        if spec is None:
            faults.append(unknown_type(node, registry))
            continue
        literals, links, found = bind(node, spec, graph.nodes, registry, choices)
        faults += found
        bound[node.id] = BoundNode(node.id, spec, literals, links)
    wanted = _wanted(graph, registry, targets, also)
    faults += cycle_faults(bound)
    if not faults:
        return BoundGraph(bound, wanted, graph)
    return _without_faults(graph, bound, wanted, faults, partial)


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
    if targets is None:
        specs = ((id, registry.specs.get(node.class_type)) for id, node in graph.nodes.items())
        targets = [id for id, spec in specs if spec and spec.output_node]
    wanted = tuple(dict.fromkeys((*targets, *also)))
    if not wanted and all(node.class_type in registry for node in graph.nodes.values()):
        raise ValidationError([Fault(
            "prompt_no_outputs",
            "The workflow has no output node, so nothing would run.",
            got=f"{len(graph.nodes)} nodes of other kinds",
            expected="a node that saves or shows something, such as SaveImage",
            hint="Add an output node, or name the nodes to run.",
        )])  # fmt: skip
    return wanted


def _without_faults(
    graph: Graph, bound: dict[str, BoundNode], wanted: Sequence[str], faults: list[Fault], partial: bool
) -> BoundGraph:
    """Spread the faults to the wanted nodes that depend on them, and refuse or leave those out."""
    reach = {target: _ancestors(target, graph.nodes, bound) for target in wanted}
    spread = []
    hit: set[str] = set()
    for fault in faults:
        outputs = tuple(target for target in wanted if fault.node in reach[target])
        hit.update(outputs)
        spread.append(_replace_outputs(fault, outputs))
    left = tuple(target for target in wanted if target not in hit)
    if (hit and not (partial and left)) or not wanted:
        raise ValidationError([fault for fault in spread if fault.outputs] or spread)
    needed = set().union(*(reach[target] for target in left))
    return BoundGraph({id: bound[id] for id in bound if id in needed}, left, graph, tuple(spread))


def _replace_outputs(fault: Fault, outputs: tuple[str, ...]) -> Fault:
    return Fault(
        fault.code,
        fault.message,
        fault.node,
        fault.class_type,
        fault.input,
        fault.got,
        fault.expected,
        fault.hint,
        outputs,
    )


def _ancestors(target: str, nodes: Mapping[str, Node], bound: Mapping[str, BoundNode]) -> set[str]:
    """Return the ids of everything ``target`` depends on, itself included; unbound nodes count by their raw links."""
    seen: set[str] = set()
    stack = [target]
    while stack:
        id = stack.pop()
        if id in seen or id not in nodes:
            continue
        seen.add(id)
        if id in bound:
            stack += [link.node for link in bound[id].links.values()]
        else:
            stack += [value[0] for value in nodes[id].inputs.values() if is_link(value)]
    return seen


def unknown_type(node: Node, registry: Registry) -> Fault:
    near = nearest(node.class_type, registry.specs)
    return Fault(
        code="missing_node_type",
        message=f"Node {node.id}: there is no node type {shortened(node.class_type)!r}.",
        node=node.id,
        class_type=node.class_type,
        got=shortened(node.class_type),
        expected=near,
        hint=node.pack or (f"Did you mean {near}?" if near else "Run `loomis nodes` for the list."),
    )


def bind(
    node: Node, spec: NodeSpec, nodes: Mapping[str, Node], registry: Registry, choices: "Choices"
) -> tuple[dict[str, Any], dict[str, Link], list[Fault]]:
    """Return a node's literals as their declared types, its links, and everything that is wrong with them."""
    literals: dict[str, Any] = {}
    links: dict[str, Link] = {}
    faults: list[Fault] = []
    for port in spec.inputs:
        if port.name not in node.inputs:
            if port.required:
                faults.append(_missing(node, port))
            elif port.default is not None:
                literals[port.name] = port.default
            continue
        value = node.inputs[port.name]
        if value is None and port.default is None:
            continue
        try:
            if _means_link(value, port, nodes):
                links[port.name] = _link(value, port, nodes, registry)
                continue
            wrapped = isinstance(value, dict) and "__value__" in value
            literals[port.name] = cast(value["__value__"] if wrapped else value, port, choices)
            _custom(spec, port, literals[port.name])
        except BadInput as bad:
            faults.append(bad.fault(node, port))
    return literals, links, faults


def _means_link(value: object, port: Port, nodes: Mapping[str, Node]) -> bool:
    """Tell a link from a list that is meant as a value, by the declared type: most inputs take no lists."""
    if port.type in ("*", "LIST"):
        return is_link(value) and value[0] in nodes  # type: ignore[index]
    return isinstance(value, list | tuple)


class BadInput(Exception):
    """An input that can't be bound, before it is known where."""

    def __init__(self, code: str, message: str, got: object, expected: object, hint: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.got, self.expected, self.hint = code, message, got, expected, hint

    def fault(self, node: Node, port: Port) -> Fault:
        return Fault(
            code=self.code,
            message=f"Node {node.id} ({node.class_type}), input {port.name}: {self.message}",
            node=node.id,
            class_type=node.class_type,
            input=port.name,
            got=None if self.got is None else shortened(self.got),
            expected=None if self.expected is None else shortened(self.expected),
            hint=self.hint,
        )


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
        near = nearest(id, nodes)
        raise BadInput(
            "bad_linked_input",
            f"it is linked to node {id!r}, which is not in the workflow.",
            value,
            near or f"one of {', '.join(nodes)}",
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
    if not compatible(given, port.type):
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


def cast(value: Any, port: Port, choices: "Choices") -> Any:
    """Return a literal as the type that its input declares ("20" is 20 for an INT).

    Raises:
        BadInput: it can't be that type, is NaN, out of range or not a choice.
    """
    check_plain(value)
    kinds = [name for name in port.type.split(",") if name in CASTS]
    if len(kinds) > 1:
        return _cast_to_any(value, port, kinds, choices)
    if not kinds:
        raise BadInput(
            "bad_linked_input",
            f"it wants a link to a {port.type}.",
            value,
            f"a link to a {port.type}",
            "Link it to a node.",
        )
    try:
        result = CASTS[kinds[0]](value)
    except (ValueError, TypeError, OverflowError):
        got = "null" if value is None else value
        raise BadInput(
            "invalid_input_type",
            f"{shortened(got, 60)!r} is no {port.type}.",
            got,
            port.type,
            f"Give it a value of type {port.type}.",
        ) from None
    check_plain(result)
    if port.choices is not None:
        return choices.check(result, port)
    if port.minimum is not None and result < port.minimum:
        raise BadInput(
            "value_smaller_than_min",
            f"{shortened(result, 60)} is smaller than {port.minimum}.",
            result,
            f"at least {port.minimum}",
            f"Use {port.minimum} or more.",
        )
    if port.maximum is not None and result > port.maximum:
        raise BadInput(
            "value_bigger_than_max",
            f"{shortened(result, 60)} is bigger than {port.maximum}.",
            result,
            f"at most {port.maximum}",
            f"Use {port.maximum} or less.",
        )
    return result


def _cast_to_any(value: Any, port: Port, kinds: list[str], choices: "Choices") -> Any:
    """Return a literal as one of several types: the one that it has already, else the first that fits."""
    *first, last = sorted(kinds, key=lambda name: name != OWN.get(type(value)))
    for name in first:
        with suppress(BadInput):
            return cast(value, replace(port, type=name), choices)
    return cast(value, replace(port, type=last), choices)


def check_plain(value: Any) -> None:
    """See that every number in a literal is finite, and that it does not nest too deep for its key.

    Raises:
        BadInput: it isn't.
    """
    stack = [(value, 0)]
    while stack:
        item, depth = stack.pop()
        if isinstance(item, float) and not math.isfinite(item):
            raise BadInput(
                "invalid_input_type",
                f"{item} is no number that can be used.",
                value,
                "a finite number",
                "Give it a number.",
            )
        if isinstance(item, list | tuple | dict):
            if depth == DEEPEST:
                raise BadInput(
                    "invalid_input_type", "it nests too deep.", value, f"at most {DEEPEST} levels", "Make it flatter."
                )
            stack += [(part, depth + 1) for part in (item.values() if isinstance(item, dict) else item)]


def _boolean(value: Any) -> bool:
    if isinstance(value, str):
        if value.lower() in ("true", "false"):
            return value.lower() == "true"
        raise ValueError(value)
    if isinstance(value, bool | int | float):
        return bool(value)
    raise TypeError(value)


def _text(value: Any) -> str:
    if isinstance(value, str | int | float):
        return str(_anything(value))
    raise TypeError(value)


def _anything(value: Any) -> Any:
    """Return any value but a text with half a character (a lone surrogate), which no file can hold."""
    if isinstance(value, str):
        value.encode()
    return value


def _integer(value: Any) -> int:
    if isinstance(value, str | int | float):
        return int(value)
    raise TypeError(value)


def _number(value: Any) -> float:
    if isinstance(value, str | int | float):
        return float(value)
    raise TypeError(value)


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    raise TypeError(value)


CASTS: Mapping[str, Callable[[Any], Any]] = {
    "INT": _integer, "FLOAT": _number, "STRING": _text, "BOOLEAN": _boolean, "COMBO": _text, "LIST": _list,
    "*": _anything,
}  # fmt: skip


OWN: Mapping[type, str] = {int: "INT", float: "FLOAT", str: "STRING", bool: "BOOLEAN", list: "LIST"}


class Choices:
    """The choices of inputs that name files, listed at most once per check."""

    def __init__(self, folders: Folders) -> None:
        self.folders = folders
        self.listed: dict[str, list[str]] = {}

    def check(self, value: str, port: Port) -> str:
        """Return ``value`` if it is a choice of ``port``, else raise BadInput with the nearest one."""
        source = port.choices
        if isinstance(source, tuple):
            options: Sequence[str] = source
            if value in source:
                return value
        else:
            try:
                if self._exists(value, source):
                    return value.replace("\\", "/")
            except FileError as error:
                raise BadInput("value_not_in_list", error.message, value, error.expected, error.hint) from None
            options = self.names(source)
        near = nearest(value, options)
        raise BadInput(
            "value_not_in_list",
            f"{shortened(value, 80)!r} is not there."
            if not isinstance(source, tuple)
            else f"{shortened(value, 80)!r} is no choice.",
            value,
            near or (", ".join(options) if options else "an empty list: no such file was found"),
            f"Did you mean {near!r}?" if near else self._where(source),
        )

    def _exists(self, value: str, source: Files | InputFile | None) -> bool:
        if isinstance(source, Files):
            return self.folders.model(source.folder, value) is not None
        return self.folders.input_file(value) is not None

    def _where(self, source: Files | InputFile | tuple[str, ...] | None) -> str | None:
        if isinstance(source, Files):
            return (
                "Put the file into one of: "
                + ", ".join(str(root) for root in self.folders.roots(source.folder)[:4])
                + "."
            )
        if isinstance(source, InputFile):
            return f"Put the file into {self.folders.input}."
        return "Use one of the choices."

    def names(self, source: Files | InputFile | None) -> list[str]:
        """Return the names of the files that are there."""
        key = source.folder if isinstance(source, Files) else "input"
        if key not in self.listed:
            if isinstance(source, Files):
                self.listed[key] = self.folders.names(source.folder)
            elif isinstance(source, InputFile):
                self.listed[key] = self.folders.inputs(source.suffixes)
        return self.listed[key]


def _custom(spec: NodeSpec, port: Port, value: Any) -> None:
    hook = spec.validate.get(port.name)
    if hook is None:
        return
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


def nearest(value: str, options: Iterable[str]) -> str | None:
    """Return the option that is spelled most alike, or None when none is."""
    lowered = {option.lower(): option for option in options}
    found = difflib.get_close_matches(value[:200].lower(), lowered, n=1, cutoff=0.5)
    return lowered[found[0]] if found else None


def cycle_faults(bound: Mapping[str, BoundNode]) -> list[Fault]:
    """Return one fault per node of a cycle; its message is the cycle, a -> b -> a."""
    users: dict[str, list[str]] = {}
    waits: dict[str, int] = {}
    for id, node in bound.items():
        sources = [link.node for link in node.links.values() if link.node in bound]
        waits[id] = len(sources)
        for source in sources:
            users.setdefault(source, []).append(id)
    free = [id for id, count in waits.items() if not count]
    for id in free:
        for user in users.get(id, ()):
            waits[user] -= 1
            if not waits[user]:
                free.append(user)
    left = {id: {link.node for link in bound[id].links.values() if waits.get(link.node)} for id in bound if waits[id]}
    return [fault for cycle in find_cycles(left) for fault in _faults_of_cycle(cycle, bound)]


def find_cycles(sources: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Return a cycle of every knot of nodes that need each other."""
    found: list[list[str]] = []
    for knot in _knots(sources):
        path: dict[str, None] = {}
        id = min(knot)
        while id not in path:
            path[id] = None
            id = min(source for source in sources[id] if source in knot)
        walk = list(path)
        found.append(walk[walk.index(id) :][::-1])
    return found


def _knots(sources: Mapping[str, Collection[str]]) -> list[set[str]]:
    """Return the strongly connected components that have a cycle (Tarjan 1972, without recursion)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    open_: dict[str, None] = {}
    knots: list[set[str]] = []
    for root in sources:
        path = [] if root in number else [(root, iter(sources[root]))]
        while path:
            id, rest = path[-1]
            if id not in number:
                number[id] = low[id] = len(number)
                open_[id] = None
            new = next((source for source in rest if source in sources and source not in number), None)
            if new is not None:
                path.append((new, iter(sources[new])))
                continue
            path.pop()
            low[id] = min([low[id], *(low[source] for source in sources[id] if source in open_)])
            if low[id] == number[id]:
                knot = {id}
                while (last := open_.popitem()[0]) != id:
                    knot.add(last)
                if len(knot) > 1 or id in sources[id]:
                    knots.append(knot)
    return knots


def _faults_of_cycle(cycle: list[str], bound: Mapping[str, BoundNode]) -> list[Fault]:
    ids = [*cycle, cycle[0]]
    got = _path(ids)
    message = f"The nodes depend on each other: {_path([f'{id} ({bound[id].spec.type})' for id in ids])}."
    return [
        Fault(
            "dependency_cycle",
            message,
            node=id,
            class_type=bound[id].spec.type,
            got=got,
            expected="a graph without cycles",
            hint="Remove one of these links.",
        )
        for id in cycle
    ]


def _path(names: list[str]) -> str:
    """Return a -> b -> c; of a long path its ends."""
    return " -> ".join(names if len(names) <= 20 else [*names[:10], "...", *names[-10:]])


def cycle_error(waits: Mapping[str, Collection[str]], bound: Mapping[str, BoundNode]) -> ValidationError:
    """Return the error for nodes that wait for each other, which an expansion can bring about."""
    return ValidationError([fault for cycle in find_cycles(waits) for fault in _faults_of_cycle(cycle, bound)])
