"""Subgraph instances as a tree of scopes: one per live instance, with the values that it gives."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.formats.diagnostics import Report
from engine.formats.document import Definition, Document, Graph, Node
from engine.formats.promoted import Given, Promotions
from engine.formats.vocabulary import Vocabulary

MAX_DEPTH = 100
MAX_PREFIX = 2_000
MAX_NODES = 50_000


@dataclass(slots=True, eq=False)
class Scope:
    """One graph in one place. ``prefix`` makes the id of a node in the API graph ("57:" for instance 57)."""

    graph: Graph
    prefix: str = ""
    parent: "Scope | None" = None
    instance: Node | None = None
    definition: Definition | None = None
    promoted: Mapping[str, Any] = field(default_factory=dict)
    inner: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    children: dict[str, "Scope"] = field(default_factory=dict)

    def path(self, node: Node) -> str:
        return self.prefix + node.id

    def above(self) -> Iterator["Scope"]:
        """Yield this scope and those around it, from the inside out."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


def build_scopes(document: Document, vocabulary: Vocabulary, report: Report) -> list[Scope]:
    """Return the root scope and one scope per instance that is neither muted nor bypassed, outermost first.

    Definitions that contain themselves, depth over ``MAX_DEPTH`` and more than ``MAX_NODES`` nodes and ports in all
    are reported; such instances have no scope.
    """
    promotions = Promotions(vocabulary, report)
    scopes = [Scope(document.graph)]
    total = len(document.graph.nodes)
    for scope in scopes:
        for node in scope.graph.nodes.values():
            definition = vocabulary.definition(node)
            if definition is None or not node.live:
                continue
            refusal = _refusal(scope, definition, total + definition.size)
            if refusal:
                report.add(*refusal, node=scope.path(node), got=definition.name, level="error")
                continue
            total += definition.size
            path = scope.path(node)
            given = _overridden(promotions.given_by(node, path), node, scope)
            child = Scope(definition.graph, f"{path}:", scope, node, definition, given.inputs, given.inner)
            scope.children[node.id] = child
            scopes.append(child)
    return scopes


def _overridden(given: Given, node: Node, scope: Scope) -> Given:
    """An outer instance may give values to the widgets of this one."""
    outer = scope.inner.get(node.id)
    return Given({**given.inputs, **outer}, given.inner) if outer else given


def _refusal(scope: Scope, definition: Definition, total: int) -> tuple[str, str] | None:
    around = list(scope.above())
    if any(outer.definition is definition for outer in around):
        return "recursive_subgraph", f"The subgraph {definition.name} contains itself; the inner copy is left out."
    if len(around) > MAX_DEPTH or len(scope.prefix) > MAX_PREFIX:
        return "too_deep", f"Subgraphs are nested more than {MAX_DEPTH} deep; the rest is left out."
    if total > MAX_NODES:
        return "too_many_nodes", f"The subgraphs unfold to more than {MAX_NODES} nodes and ports; the rest is left out."
    return None
