"""Where the value of an input comes from, through everything that exists only in the editor.

A walk alternates between inputs and outputs: an input leads along its link to an output; the output of a reroute, a
bypassed node or a subgraph instance leads on to another input. Each step has one successor, so a walk is a loop.
"""

from typing import Any

from engine.formats.catalogue import ANY
from engine.formats.diagnostics import Report
from engine.formats.document import BYPASSED, INPUT_BOUNDARY, MUTED, OUTPUT_BOUNDARY, Link, Node
from engine.formats.everywhere import Broadcasts
from engine.formats.scopes import Scope
from engine.formats.steps import Dead, InputStep, Literal, OutputStep, Step, Wire
from engine.formats.virtual import Kind, kind_of
from engine.formats.vocabulary import Vocabulary, compatible

REPLACING = "Run widget replace on values"

Source = Wire | Literal


class Resolver:
    """Resolves inputs of one document. Walks share what they found, so long chains are walked once."""

    def __init__(self, vocabulary: Vocabulary, report: Report) -> None:
        self.vocabulary = vocabulary
        self.report = report
        self.broadcasts = Broadcasts(vocabulary, report)
        self._known: dict[tuple[Step, str], Source | None] = {}
        self._setters: dict[int, dict[str, Node]] = {}
        self._exits: dict[int, dict[int, Link]] = {}

    def source(self, scope: Scope, node: Node, index: int) -> Source | None:
        """Return what feeds a live input: a wire from a node that runs, a value, or nothing."""
        live = self.vocabulary.inputs(node)[index]
        step: Step | Source | Dead = InputStep(scope, node, index)
        trail: list[tuple[Step, str]] = []
        visited: set[tuple[Step, str]] = set()
        result: Source | None = None
        while not isinstance(step, Dead):
            if isinstance(step, Wire | Literal):
                result = step
                break
            key = (step, live.type)
            if key in self._known:
                result = self._known[key]
                break
            if key in visited:
                self._report_cycle(scope, node, live.name)
                break
            visited.add(key)
            trail.append(key)
            step = self._follow_input(step) if isinstance(step, InputStep) else self._follow_output(step, live.type)
        self._known.update(dict.fromkeys(trail, result))
        return result

    def _follow_input(self, at: InputStep) -> Step | Source | Dead:
        scope, node = at.scope, at.node
        inputs = self.vocabulary.inputs(node)
        if at.index >= len(inputs):
            return Dead()
        live = inputs[at.index]
        if live.link is None:
            return self._unlinked(at, live.name)
        link = scope.graph.links.get(live.link)
        if link is None:
            self._report_dangling(scope, node, live.name, live.link)
            return self._unlinked(at, live.name)
        if link.origin == INPUT_BOUNDARY and scope.parent is not None and scope.instance is not None:
            return InputStep(scope.parent, scope.instance, link.origin_slot)
        origin = scope.graph.nodes.get(link.origin)
        if origin is None:
            self._report_dangling(scope, node, live.name, link.origin)
            return self._unlinked(at, live.name)
        return OutputStep(scope, origin, link.origin_slot)

    def _unlinked(self, at: InputStep, name: str) -> Step | Source | Dead:
        child = at.scope.children.get(at.node.id)
        if child is not None and name in child.promoted:
            return Literal(child.promoted[name])
        return self.broadcasts.to(at.scope, at.node, at.index) or Dead()

    def _follow_output(self, at: OutputStep, wanted: str) -> Step | Source | Dead:
        scope, node = at.scope, at.node
        kind = kind_of(node.type)
        if kind is Kind.VALUE:
            return self._value(scope, node)
        if node.mode == MUTED:
            return Dead()
        if node.mode == BYPASSED and kind is Kind.REAL:
            return self._bypass(at, wanted)
        if self.vocabulary.definition(node) is not None:
            return self._into(scope, node, at.slot)
        match kind:
            case Kind.REAL:
                return Wire(scope.path(node), at.slot)
            case Kind.PASS | Kind.SET:
                return InputStep(scope, node, at.slot if kind is Kind.PASS and at.slot < len(node.inputs) else 0)
            case Kind.GET:
                return self._get(scope, node)
        return Dead()

    def _value(self, scope: Scope, node: Node) -> Source | Dead:
        marked = node.properties.get(REPLACING) is True
        given = scope.inner.get(node.id, {}).get("value")
        if given is not None:
            return Literal(given, marked)
        return Literal(node.value_list[0], marked) if node.value_list else Dead()

    def _into(self, scope: Scope, node: Node, slot: int) -> Step | Dead:
        """Enter a subgraph instance through its output: continue at the inner link that ends there."""
        child = scope.children.get(node.id)
        link = self._exit(child, slot) if child else None
        if child is None or link is None:
            return Dead()
        if link.origin == INPUT_BOUNDARY:
            return InputStep(scope, node, link.origin_slot)
        origin = child.graph.nodes.get(link.origin)
        return Dead() if origin is None else OutputStep(child, origin, link.origin_slot)

    def _exit(self, scope: Scope, slot: int) -> Link | None:
        exits = self._exits.get(id(scope.graph))
        if exits is None:
            links = scope.graph.links.values()
            exits = {link.target_slot: link for link in links if link.target == OUTPUT_BOUNDARY}
            self._exits[id(scope.graph)] = exits
        return exits.get(slot)

    def _get(self, scope: Scope, node: Node) -> Step | Dead:
        """Find the setter of a name in the node's own graph, then in those around it."""
        name = _constant(node)
        for around in scope.above():
            setter = self._setters_in(around).get(name) if name else None
            if setter is not None:
                return InputStep(around, setter, 0)
        self.report.add(
            "no_setter",
            f"Nothing sets the value that the node gets: {name or 'it has no name'}.",
            node=scope.path(node),
            got=name,
            level="error",
        )
        return Dead()

    def _setters_in(self, scope: Scope) -> dict[str, Node]:
        key = id(scope.graph)
        if key not in self._setters:
            nodes = scope.graph.nodes.values()
            setters = [node for node in nodes if kind_of(node.type) is Kind.SET and node.mode != MUTED]
            self._setters[key] = {_constant(node): node for node in reversed(setters)}
        return self._setters[key]

    def _bypass(self, at: OutputStep, wanted: str) -> Step | Dead:
        inputs = [live.type for live in self.vocabulary.inputs(at.node)]
        index = bypass_index(inputs, at.slot, self.vocabulary.output_type(at.node, at.slot), wanted)
        if index is not None:
            return InputStep(at.scope, at.node, index)
        self.report.add(
            "bypass_without_match",
            f"The bypassed {at.node.type} has no input of the type that is asked of it; the link is dropped.",
            node=at.scope.path(at.node),
            got=", ".join(inputs[:12]) or "no inputs",
            expected=wanted,
        )
        return Dead()

    def _report_dangling(self, scope: Scope, node: Node, name: str, missing: str) -> None:
        self.report.add(
            "dangling_link",
            f"The link to {name} starts nowhere and is dropped.",
            node=scope.path(node),
            input=name,
            got=missing,
            expected="a link whose node is in the file",
        )

    def _report_cycle(self, scope: Scope, node: Node, name: str) -> None:
        self.report.add(
            "cycle",
            f"What feeds {name} leads in a circle of reroutes, bypassed nodes or subgraphs; the link is dropped.",
            node=scope.path(node),
            input=name,
            level="error",
        )


def bypass_index(inputs: list[str], slot: int, output: str, wanted: str) -> int | None:
    """Return the input that a bypassed node hands through at an output, or None where none fits."""
    if wanted == ANY:
        return slot if slot < len(inputs) else 0 if inputs else None

    def fits(index: int) -> bool:
        return compatible(inputs[index], output) and compatible(inputs[index], wanted)

    if slot < len(inputs) and fits(slot):
        return slot
    if wanted in inputs:
        return inputs.index(wanted)
    return next((index for index in range(len(inputs)) if fits(index)), None)


def _constant(node: Node) -> str:
    value: Any = node.value_list[0] if node.value_list else None
    return value if isinstance(value, str) else ""
