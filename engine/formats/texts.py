"""Texts that are resolved once, at submission: dynamic prompts and file name prefixes."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from engine.formats.diagnostics import Report
from engine.formats.document import Node
from engine.formats.dynamic import has_choices, resolve_choices
from engine.formats.emit import Entry
from engine.formats.replace import PREFIX, PREFIXED_TYPES, Prefix, replace_marks
from engine.formats.scopes import Scope
from engine.formats.seeds import chooser
from engine.formats.values import values_of
from engine.formats.virtual import Kind, kind_of
from engine.formats.vocabulary import Vocabulary

ALIAS = "Node name for S&R"
DYNAMIC = re.compile(r"[{}]|/[/*]|\\[|]")
MAX_TEXT = 2**26
MAX_PREFIX = 4_096


def resolve_prompts(entries: Iterable[Entry], seed: int, report: Report) -> None:
    """Resolve dynamic prompts. A choice depends on the seed, the node's id and the input, nothing else."""
    left = MAX_TEXT
    for entry in entries:
        for name, widget in entry.values.widgets.items():
            text = entry.literals.get(name)
            if not isinstance(text, str) or name in entry.wires or not widget.options.get("dynamicPrompts"):
                continue
            if not DYNAMIC.search(text):
                continue
            left -= len(text)
            if left < 0:
                report.add("too_much_text", "There is too much dynamic text; the rest stays as it is.", node=entry.path)
                return
            _resolve_prompt(entry, name, text, seed, report)


def _resolve_prompt(entry: Entry, name: str, text: str, seed: int, report: Report) -> None:
    entry.literals[name] = resolve_choices(text, chooser(seed, entry.path, name))
    if has_choices(text):
        report.add(
            "dynamic_prompt",
            f"Of the choices in {name} this was picked with seed {seed}: {entry.literals[name][:200]}",
            node=entry.path,
            input=name,
            got=text,
            level="info",
        )


class Prefixes:
    """Resolves marks in file name prefixes, with values of any node of the document."""

    def __init__(
        self, scopes: Iterable[Scope], entries: Iterable[Entry], vocabulary: Vocabulary, now: datetime, report: Report
    ) -> None:
        self.vocabulary = vocabulary
        self.now = now
        self.report = report
        self._entries = {entry.path: entry for entry in entries}
        self.found: dict[tuple[str, str], Prefix] = {}
        """Those with values of nodes, by node and input."""
        self._nodes: dict[str, list[tuple[Scope, Node]]] = {}
        places = [(scope, node) for scope in scopes for node in scope.graph.nodes.values()]
        for name_of in (_alias, _title):
            for scope, node in places:
                name = name_of(node)
                if name:
                    self._nodes.setdefault(name, []).append((scope, node))

    def resolve(self, entry: Entry) -> None:
        """Resolve the prefix of a node that saves files, and texts from primitives that ask for it."""
        names = entry.marked | ({PREFIX} if entry.node.type in PREFIXED_TYPES else set())
        for name in sorted(names - entry.wires.keys()):
            text = entry.literals.get(name)
            if isinstance(text, str) and "%" in text and len(text) <= MAX_PREFIX:
                self._resolve(entry, name, text)

    def _resolve(self, entry: Entry, name: str, text: str) -> None:
        sources: dict[str, tuple[str, str]] = {}

        def lookup(node: str, widget: str) -> Any:
            for place in self._nodes.get(node, ())[:1]:
                path = place[0].path(place[1])
                if path in self._entries:
                    sources[f"{node}.{widget}"] = path, widget
            return self._value(node, widget)

        entry.literals[name], unknown = replace_marks(text, self.now, lookup)
        if sources:
            dated, _ = replace_marks(text, self.now, lambda node, widget: None)
            self.found[entry.path, name] = Prefix(dated, sources)
        for mark in unknown:
            self.report.add(
                "unknown_mark",
                f"{mark} names no node and widget of this workflow and stays as it is.",
                node=entry.path,
                input=name,
                got=mark,
                expected="%date:FORMAT% or %Node.widget%",
            )

    def _value(self, name: str, widget: str) -> Any:
        for scope, node in self._nodes.get(name, ())[:1]:
            entry = self._entries.get(scope.path(node))
            if entry is not None:
                return entry.literals.get(widget)
            if kind_of(node.type) is Kind.VALUE:
                return node.value_list[0] if node.value_list else None
            return values_of(node, scope.path(node), self.vocabulary, Report()).sent.get(widget)
        return None


def _alias(node: Node) -> str | None:
    alias = node.properties.get(ALIAS)
    return alias if isinstance(alias, str) else None


def _title(node: Node) -> str | None:
    return node.title
