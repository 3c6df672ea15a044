"""Links that the Use Everywhere pack (Apache-2.0) makes without drawing them.

A broadcaster sends each of its linked inputs to every unlinked input of the same type in its graph. Restrictions and
priorities decide between several; a tie connects nothing. The rules are those of the pack's README, version 7.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from engine.formats.catalogue import ANY
from engine.formats.diagnostics import Report
from engine.formats.document import Box, Graph, Node
from engine.formats.parse import as_object
from engine.formats.scopes import Scope
from engine.formats.steps import InputStep, OutputStep, Step
from engine.formats.virtual import BROADCASTERS, Kind, kind_of
from engine.formats.vocabulary import LiveInput, Vocabulary

SEED, PROMPTS = "Seed Everywhere", "Prompts Everywhere"
SEED_NAMES = "seed|随机种"
PROMPT_NAMES = (r"(_|\b)pos(itive|_|\b)|^prompt|正面", r"(_|\b)neg(ative|_|\b)|负面")
SAME, DIFFERENT = 1, 2

MAX_OFFERS = 500
MAX_PATTERN = 200
MAX_SUBJECT = 100
MAX_REPEATS = 3
REPEATED_GROUP = re.compile(r"\)[*+?{]")

Test = Callable[[Node, LiveInput], bool]


@dataclass(frozen=True, slots=True)
class Broadcast:
    """One value on offer: what it is, where it comes from (by position in ``node``) and who may have it."""

    node: Node
    type: str
    slot: int
    from_output: bool
    priority: int
    tests: tuple[Test, ...]


class Broadcasts:
    """Answers what an unlinked input is sent. Each graph is worked out once, and only if something broadcasts."""

    def __init__(self, vocabulary: Vocabulary, report: Report) -> None:
        self.vocabulary = vocabulary
        self.report = report
        self._offers: dict[int, dict[str, list[Broadcast]]] = {}

    def to(self, scope: Scope, node: Node, index: int) -> Step | None:
        """Return the step that leads to what a broadcaster sends to an unlinked input, or None."""
        live = self.vocabulary.inputs(node)[index]
        offers = self._offers_in(scope).get(live.type)
        if not offers or not self._connectable(node, live):
            return None
        matching = [offer for offer in offers if all(test(node, live) for test in offer.tests)]
        best = max((offer.priority for offer in matching), default=0)
        chosen = [offer for offer in matching if offer.priority == best]
        if len(chosen) == 1:
            offer = chosen[0]
            make = OutputStep if offer.from_output else InputStep
            return make(scope, offer.node, offer.slot)
        if chosen:
            self.report.add(
                "ambiguous_broadcast",
                f"Several nodes broadcast to {live.name} with equal priority; none is connected.",
                node=scope.path(node),
                input=live.name,
                got=", ".join(offer.node.id for offer in chosen[:8]),
            )
        return None

    def _offers_in(self, scope: Scope) -> dict[str, list[Broadcast]]:
        """Return what is on offer in a graph, by type."""
        key = id(scope.graph)
        if key not in self._offers:
            self._offers[key] = {}
            offers = (offer for node in scope.graph.nodes.values() for offer in self._offers_of(scope, node))
            for offer in islice(offers, MAX_OFFERS):
                self._offers[key].setdefault(offer.type, []).append(offer)
        return self._offers[key]

    def _offers_of(self, scope: Scope, node: Node) -> list[Broadcast]:
        if not node.live:
            return []
        if node.type in BROADCASTERS:
            ends = self._linked_inputs(scope, node)
        elif node.type == SEED or node.properties.get("ue_convert"):
            outputs = enumerate(node.outputs)
            ends = [(index, slot.name, self.vocabulary.output_type(node, index)) for index, slot in outputs]
        else:
            return []
        kinds = [kind for _, _, kind in ends]
        offers = []
        for index, name, kind in ends:
            repeated = kinds.count(kind) > 1 and node.type != PROMPTS
            tests, extra = self._tests(scope.graph, node, index, name if repeated else None)
            offers.append(Broadcast(node, kind, index, node.type not in BROADCASTERS, 10 + extra, tests))
        return offers

    def _linked_inputs(self, scope: Scope, node: Node) -> list[tuple[int, str, str]]:
        """Return live index, shown name and type of each linked input of a broadcaster."""
        return [
            (index, live.label or live.name, self._sent_type(scope, live, live.link))
            for index, live in enumerate(self.vocabulary.inputs(node))
            if live.link is not None and live.link in scope.graph.links
        ]

    def _sent_type(self, scope: Scope, live: LiveInput, link_id: str) -> str:
        link = scope.graph.links[link_id]
        origin = scope.graph.nodes.get(link.origin)
        declared = self.vocabulary.output_type(origin, link.origin_slot) if origin else ANY
        return next((kind for kind in (declared, live.type, link.type) if kind != ANY), ANY)

    def _tests(self, graph: Graph, node: Node, index: int, repeated: str | None) -> tuple[tuple[Test, ...], int]:
        """Return the restrictions of one offer, and what they add to its priority."""
        settings = as_object(node.properties.get("ue_properties"))
        patterns = _patterns(node, settings, index)
        tests = [_pattern_test(*item, graph, self.report, node) for item in patterns]
        priority = 10 * (node.type in (SEED, PROMPTS)) + 20 * bool(patterns or repeated)
        if repeated is not None:
            tests.append(lambda _, live: (live.label or live.name) == repeated)
        group = settings.get("group_restricted", node.properties.get("group_restricted"))
        color = settings.get("color_restricted", node.properties.get("color_restricted"))
        if group in (SAME, DIFFERENT):
            tests.append(lambda target, _: _share_box(graph, node, target) == (group == SAME))
            priority += 3
        if color in (SAME, DIFFERENT):
            tests.append(lambda target, _: (target.color == node.color) == (color == SAME))
            priority += 6
        own = settings.get("priority")
        return tuple(tests), own - 10 if isinstance(own, int) else priority

    def _connectable(self, node: Node, live: LiveInput) -> bool:
        if not node.live or kind_of(node.type) is not Kind.REAL or node.properties.get("rejects_ue_links"):
            return False
        settings = as_object(node.properties.get("ue_properties"))
        wanted = settings.get("widget_ue_connectable", node.properties.get("widget_ue_connectable"))
        if live.widget:
            return bool(as_object(wanted).get(live.name))
        return not as_object(settings.get("input_ue_unconnectable")).get(live.name)


def _patterns(node: Node, settings: Mapping[str, Any], index: int) -> list[tuple[str, str, bool]]:
    """Return (what it is matched with, pattern, inverted) for each restriction by name."""
    stored = {name: settings.get(f"{name}_regex") for name in ("title", "input", "group")}
    if node.type == "Anything Everywhere?":
        old = dict(zip(("title", "input", "group"), node.value_list, strict=False))
        stored = {name: stored[name] or old.get(name) for name in stored}
    if node.type == SEED:
        stored["input"] = stored["input"] or SEED_NAMES
    if node.type == PROMPTS and index < len(PROMPT_NAMES):
        stored["input"] = PROMPT_NAMES[index]
    return [
        (name, pattern, bool(settings.get(f"{name}_regex_invert")))
        for name, pattern in stored.items()
        if isinstance(pattern, str) and pattern not in ("", ".*")
    ]


def _pattern_test(name: str, pattern: str, inverted: bool, graph: Graph, report: Report, node: Node) -> Test:
    compiled = _compiled(pattern)
    if compiled is None:
        report.add(
            "bad_pattern",
            "A broadcast restriction is not a pattern that can be used; the node sends nothing by it.",
            node=node.id,
            got=pattern,
            expected=f"a regular expression of at most {MAX_PATTERN} characters without repeated groups",
        )
        return lambda _, __: False

    def test(target: Node, live: LiveInput) -> bool:
        subjects = {
            "title": [target.title or target.type],
            "input": [live.label or live.name],
            "group": [box.title for box in _boxes_of(graph, target)],
        }[name]
        return any(compiled.search(subject[:MAX_SUBJECT]) for subject in subjects) != inverted

    return test


def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Compile a pattern from a file, unless matching it could take long."""
    simple = len(pattern) <= MAX_PATTERN and not REPEATED_GROUP.search(pattern)
    if pattern not in PROMPT_NAMES and (not simple or sum(pattern.count(sign) for sign in "*+{") > MAX_REPEATS):
        return None
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return None


def _share_box(graph: Graph, one: Node, other: Node) -> bool:
    return not set(_boxes_of(graph, one)).isdisjoint(_boxes_of(graph, other))


def _boxes_of(graph: Graph, node: Node) -> list[Box]:
    x, y = node.position
    return [box for box in graph.boxes if box.x <= x <= box.x + box.width and box.y <= y <= box.y + box.height]
