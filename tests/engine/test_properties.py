"""Laws of a run, for random graphs: right results, nothing twice, only what an edit touches."""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Engine, Folders, Registry
from engine.events import Event, NodeFinished, Remembered
from engine.node import Block, Expanded, Lazy, LinkTo, OptionalInput, Shown
from engine.types import Anything

BLOCK = Block()
Graph = dict[str, dict[str, Any]]
Call = tuple[Any, ...]


class Words:
    """A vocabulary of arithmetic, lists, switches, blocks and expansions. Every call is written down."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.calls: list[Call] = []
        node = self.registry.node

        def which(condition: int, a: object, b: object) -> list[str]:
            return ["a"] if condition % 2 else ["b"]

        @node("Const")
        def const(value: int) -> int:
            return self.note("Const", value)[0]

        @node("Add")
        def add(a: int, b: Annotated[int, OptionalInput()] = 1) -> int:
            return sum(self.note("Add", a, b))

        @node("Half")
        def half(a: int) -> int:
            return self.note("Half", a)[0] // 2

        @node("Upto")
        def upto(count: int) -> list[int]:
            return list(range(self.note("Upto", count)[0] % 4))

        @node("Total", input_is_list=True)
        def total(values: list[int]) -> int:
            return sum(self.note("Total", tuple(values))[0])

        @node("Pick", lazy=which)
        def pick(condition: int, a: Annotated[int, Lazy()], b: Annotated[int, Lazy()]) -> int:
            self.note("Pick", condition, a, b)
            return a if condition % 2 else b

        @node("Gate")
        def gate(value: int, every: int) -> int | Block:
            self.note("Gate", value, every)
            return value if value % every else BLOCK

        @node("Twice")
        def twice(a: int) -> Expanded[int]:
            self.note("Twice", a)
            return Expanded({"inner": {"class_type": "Add", "inputs": {"a": a, "b": a}}}, (LinkTo("inner"),))

        @node("Spread")
        def spread(a: int) -> Expanded[int]:
            self.note("Spread", a)
            inner = {
                "x": {"class_type": "Twice", "inputs": {"a": a}},
                "y": {"class_type": "Upto", "inputs": {"count": ["x", 0]}},
            }
            return Expanded(inner, (LinkTo("y"),))

        @node("Show", output_node=True)
        def show(value: Anything) -> Shown[None]:
            self.note("Show", value)
            return Shown(None, notes={"seen": [value]})

    def note(self, *call: Any) -> Call:
        self.calls.append(call)
        return call[1:]


PLAIN: Mapping[str, Callable[..., list[Any]]] = {
    "Const": lambda value: [value],
    "Add": lambda a, b=1: [a + b],
    "Half": lambda a: [a // 2],
    "Upto": lambda count: list(range(count % 4)),
    "Gate": lambda value, every: [value if value % every else BLOCK],
    "Twice": lambda a: [2 * a],
    "Spread": lambda a: list(range(2 * a % 4)),
    "Total": lambda values: [sum(values)],
    "Pick": lambda condition, a=None, b=None: [a if condition % 2 else b],
}
INNER = {"Twice", "Add"}
"""In expansions these get literals where the graphs have links, which is another key for the same call."""

LITERALS = {"Const": ["value"], "Gate": ["every"], "Add": ["b"]}
LINKS = {
    "Const": [], "Add": ["a"], "Half": ["a"], "Upto": ["count"], "Total": ["values"], "Pick": ["condition", "a", "b"],
    "Gate": ["value"], "Twice": ["a"], "Spread": ["a"],
}  # fmt: skip


def evaluate(graph: Graph, id: str) -> list[Any]:
    """Return the values on a node's wire, straight from the definition: no keys, no memo, no order."""
    kind, inputs = graph[id]["class_type"], graph[id]["inputs"]
    wires = {name: evaluate(graph, value[0]) for name, value in inputs.items() if isinstance(value, list)}
    literals = {name: value for name, value in inputs.items() if not isinstance(value, list)}
    if kind == "Total":
        return [BLOCK] if BLOCK in wires["values"] else [sum(wires["values"])]
    if kind == "Pick":
        asked = {"a" if value % 2 else "b" for value in wires["condition"] if value != BLOCK}
        wires = {name: wire for name, wire in wires.items() if name == "condition" or name in asked}
    if not all(wires.values()):
        return []
    found = []
    for index in range(max(map(len, wires.values()), default=1)):
        given = {name: wire[min(index, len(wire) - 1)] for name, wire in wires.items()}
        found += [BLOCK] if BLOCK in given.values() else PLAIN[kind](**given, **literals)
    return found


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Return a random graph whose last nodes are shown."""
    graph: Graph = {}
    for index in range(draw(st.integers(2, 9))):
        kind = draw(st.sampled_from(sorted(LINKS))) if index else "Const"
        sources = [draw(st.integers(0, index - 1)) for _ in LINKS[kind]]
        inputs: dict[str, Any] = {name: [f"n{at}", 0] for name, at in zip(LINKS[kind], sources, strict=True)}
        inputs |= {name: draw(st.integers(2, 5)) for name in LITERALS.get(kind, ())}
        graph[f"n{index}"] = {"class_type": kind, "inputs": inputs}
    ends = draw(st.sets(st.sampled_from(sorted(graph)), min_size=1, max_size=3)) | {f"n{len(graph) - 1}"}
    return graph | {f"o{id}": {"class_type": "Show", "inputs": {"value": [id, 0]}} for id in sorted(ends)}


def edited(graph: Graph, at: int, value: int) -> tuple[str, Graph]:
    """Return the id of a node with a literal and the graph with another value there."""
    places = [(id, name) for id in graph for name in LITERALS.get(graph[id]["class_type"], ())]
    id, name = places[at % len(places)]
    return id, {**graph, id: {**graph[id], "inputs": {**graph[id]["inputs"], name: value}}}


def below(graph: Graph, id: str) -> set[str]:
    """Return a node and everything that depends on it."""
    found = {id}
    for other, node in graph.items():
        if any(isinstance(value, list) and value[0] in found for value in node["inputs"].values()):
            found.add(other)
    return found


def open_engine(words: Words, data: Path | None = None, memory_bytes: int = 2**24) -> Engine:
    return Engine(words.registry, folders=Folders(output=Path("/tmp")), data=data, memory_bytes=memory_bytes)


class Seen(NamedTuple):
    """The nodes of the graph that ran, and those that were remembered. Others were not needed."""

    ran: set[str]
    remembered: set[str]


def check(engine: Engine, graph: Graph) -> Seen:
    """Run a graph, compare it with the plain evaluation, and return what happened to its nodes."""
    events: list[Event] = []
    ends = [id for id in graph if graph[id]["class_type"] == "Show"]
    wanted = [graph[id]["inputs"]["value"][0] for id in ends]
    result = engine.run(graph, values=wanted, on_event=events.append)
    for end, id in zip(ends, wanted, strict=True):
        right = evaluate(graph, id)
        assert result.values[id] == (right,)
        assert result.outputs[end].notes.get("seen", []) == [value for value in right if value != BLOCK]
    return Seen(
        {event.node for event in events if isinstance(event, NodeFinished) and event.node in graph},
        {event.node for event in events if isinstance(event, Remembered) and event.node in graph},
    )


@given(graphs())
def test_results_are_those_of_a_plain_evaluation_and_a_second_run_runs_nothing(graph: Graph):
    words = Words()
    with open_engine(words) as engine:
        check(engine, graph)
        words.calls.clear()
        assert check(engine, graph).ran == set() and words.calls == []


@given(graphs(), st.lists(st.tuples(st.integers(0, 20), st.integers(2, 7)), min_size=1, max_size=4))
def test_an_edit_runs_only_what_depends_on_it_and_no_call_is_made_twice(graph: Graph, edits: list[tuple[int, int]]):
    words = Words()
    with open_engine(words) as engine:
        known = set().union(*check(engine, graph))
        for at, value in edits:
            before = set(words.calls)
            words.calls.clear()
            id, graph = edited(graph, at, value)
            known -= below(graph, id)
            seen = check(engine, graph)
            assert seen.ran.isdisjoint(known)
            known |= seen.ran | seen.remembered
            assert {call for call in words.calls if call in before and call[0] not in INNER} == set()
            words.calls.extend(before)


@given(graphs(), st.sampled_from([0, 40, 400]), st.lists(st.tuples(st.integers(0, 20), st.integers(2, 7)), max_size=3))
def test_values_that_are_gone_change_no_result(graph: Graph, memory_bytes: int, edits: list[tuple[int, int]]):
    with open_engine(Words(), memory_bytes=memory_bytes) as engine:
        check(engine, graph)
        for at, value in edits:
            _, graph = edited(graph, at, value)
            check(engine, graph)


@given(graphs(), st.integers(0, 20), st.integers(2, 7))
@settings(max_examples=15)
def test_another_process_remembers_and_goes_on(graph: Graph, at: int, value: int):
    with TemporaryDirectory() as folder:
        with open_engine(Words(), Path(folder)) as engine:
            known = set().union(*check(engine, graph))
        words = Words()
        with open_engine(words, Path(folder)) as engine:
            assert check(engine, graph).ran == set() and words.calls == []
            id, graph = edited(graph, at, value)
            assert check(engine, graph).ran.isdisjoint(known - below(graph, id))


@given(graphs(), st.randoms(use_true_random=False))
def test_other_ids_and_another_order_run_nothing(graph: Graph, random: Any):
    def other(value: Any) -> Any:
        return [f"x.{value[0]}", 0] if isinstance(value, list) else value

    renamed = {
        f"x.{id}": {**node, "inputs": {name: other(value) for name, value in reversed(node["inputs"].items())}}
        for id, node in graph.items()
    }
    ids = list(renamed)
    random.shuffle(ids)
    words = Words()
    with open_engine(words) as engine:
        check(engine, graph)
        words.calls.clear()
        assert check(engine, {id: renamed[id] for id in ids}).ran == set() and words.calls == []
