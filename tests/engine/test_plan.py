"""What a run would do: states, reasons, what was evicted, and for how long."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from engine import Folders, Registry
from engine.graph import read_graph
from engine.node import Block, Effort, Field, Shown
from engine.plan import BLOCKED, Plan, Planner, joined, trace
from engine.rows import Ran, Row
from engine.schema import FileSource
from engine.validate import validate
from engine.values import pack
from tests.engine.words import Vocabulary, engine, n


@dataclass
class View:
    """A memo by hand."""

    rows: dict[bytes, Row] = field(default_factory=dict)
    values: set[bytes] = field(default_factory=set)
    times: dict[str, tuple[float, float]] = field(default_factory=dict)
    before: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    missing_files: bool = False
    took: float = 1.0

    def row(self, key: bytes) -> Row | None:
        return self.rows.get(key)

    def has(self, digest: bytes) -> bool:
        return digest in self.values

    def text(self, digest: bytes) -> str | None:
        return None

    def whole(self, key: bytes, row: Row) -> bool:
        return not self.missing_files

    def seconds(self, type: str) -> tuple[float, float] | None:
        return self.times.get(type)

    def ran(self, type: str) -> list[Ran]:
        return [(trace, self.took) for trace in self.before.get(type, [])]


def nothing(source: FileSource, name: str) -> str:
    return ""


CHAIN = {
    "1": n("Number", value=8),
    "2": n("Half", a=("1", 0)),
    "3": n("Add", a=("2", 0), b=1),
    "o": n("Show", value=("3", 0)),
}


def plan(view: View, graph: dict[str, Any] = CHAIN, *, want: tuple[str, ...] = (), **options: Any) -> Plan:
    words = Vocabulary()
    bound = validate(read_graph(graph), words.registry, Folders(), **options)
    found = Planner(bound, view, (), nothing).plan(want)
    assert words.calls == []
    return found


def remember(view: View, made: Plan, id: str, *values: Any) -> None:
    """Let the view know the outputs of a node that the plan runs."""
    digests = tuple((pack(value).digest,) for value in values)
    for call in made.steps[id].calls:
        view.rows[call.key] = Row(digests)
    view.values |= {digest for wire in digests for digest in wire}


def filled(graph: dict[str, Any] = CHAIN) -> View:
    """Return a view that remembers a chain of numbers."""
    view = View()
    for id, value in (("1", (8,)), ("2", (4,)), ("3", (5,)), ("o", ())):
        remember(view, plan(view, graph), id, *value)
    return view


def states(made: Plan) -> dict[str, str]:
    return {id: step.state for id, step in made.steps.items()}


def test_nothing_remembered():
    made = plan(View())
    assert states(made) == {"1": "runs", "2": "depends", "3": "depends", "o": "depends"}
    assert made.steps["1"].why == "never run" and made.steps["2"].why == "something above it runs"
    assert made.nodes("depends") == ("2", "3", "o")


def test_everything_remembered_needs_no_value():
    view = filled()
    view.values.clear()
    made = plan(view)
    assert states(made) == dict.fromkeys("123o", "remembered") and made.seconds == (0.0, 0.0)
    assert made.steps["3"].outputs == ((pack(5).digest,),)


def test_a_change_runs_the_node_and_an_equal_value_stops_it():
    view = filled()
    changed = CHAIN | {"1": n("Number", value=9)}
    assert states(plan(view, changed)) == {"1": "runs", "2": "depends", "3": "depends", "o": "depends"}
    remember(view, plan(view, changed), "1", 9)
    assert states(plan(view, changed)) == {"1": "remembered", "2": "runs", "3": "depends", "o": "depends"}
    remember(view, plan(view, changed), "2", 4)
    assert set(states(plan(view, changed)).values()) == {"remembered"}


def test_only_the_wanted_part_is_planned():
    assert list(plan(View(), targets=["2"]).steps) == ["1", "2"]


def test_producers_of_values_that_are_gone_run_again():
    view = filled()
    changed = CHAIN | {"3": n("Add", a=("2", 0), b=2)}
    view.values.discard(pack(4).digest)
    made = plan(view, changed)
    assert states(made) == {"1": "remembered", "2": "runs", "3": "runs", "o": "depends"}
    assert made.steps["2"].why == "its value is gone from the store"
    view.values.clear()
    assert states(plan(view, changed)) == {"1": "runs", "2": "runs", "3": "runs", "o": "depends"}


def test_a_value_that_is_asked_for_and_gone():
    view = filled()
    view.values.discard(pack(5).digest)
    assert states(plan(view, want=("3",), targets=["3"])) == {"1": "remembered", "2": "remembered", "3": "runs"}
    assert states(plan(view, targets=["3"])) == dict.fromkeys("123", "remembered")


def test_files_that_are_gone_and_can_not_be_written_again():
    view = filled()
    view.missing_files = True
    made = plan(view)
    assert states(made) == {"1": "remembered", "2": "remembered", "3": "remembered", "o": "runs"}


def test_reasons_name_what_changed_since_the_most_similar_run():
    view = View(before={"Number": [{"value": 1}, {"value": 8}], "Half": [{"a": b"other"}]})
    made = plan(view)
    assert made.steps["1"].why == "its result is gone"
    remember(view, made, "1", 8)
    assert plan(view).steps["2"].why == "a changed"
    view.before["Number"] = [{"value": 1}]
    assert plan(view, CHAIN | {"1": n("Number", value=7)}).steps["1"].why == "value changed"
    assert plan(view, {"1": n("Random"), "o": n("Show", value=("1", 0))}).steps["1"].why == "it always runs"


def test_expected_seconds_are_a_range():
    view = View(times={"Number": (1.0, 2.0), "Half": (3.0, 4.0), "Show": (0.5, 0.5)})
    made = plan(view)
    assert made.steps["1"].seconds == (1.0, 2.0) and made.steps["2"].seconds == (0.0, 4.0)
    assert made.seconds == (1.0, 6.5)


def test_what_takes_longer_in_proportion_is_expected_to():
    words = Vocabulary()

    @words.registry.node("Steps", output_node=True)
    def steps(steps: Annotated[int, Field(ge=0), Effort()] = 1) -> Shown[None]:
        return Shown(None)

    def expected(view: View, **inputs: Any) -> tuple[float, float]:
        bound = validate(read_graph({"1": n("Steps", **inputs)}), words.registry, Folders())
        return Planner(bound, view, (), nothing).plan().steps["1"].seconds

    times = {"Steps": (0.5, 5.0)}
    assert expected(View(times=times), steps=40) == (0.5, 5.0), "nothing is known of what it had to do"
    view = View(times=times, before={"Steps": [{"steps": 10}, {"steps": 20}, {"steps": 0}, {}]}, took=2.0)
    assert expected(view, steps=40) == (4.0, 8.0) and expected(view, steps=5) == (0.5, 1.0)
    assert expected(view, steps=0) == (0.5, 5.0)


LAZY = {
    "c": n("Number", value=1),
    "x": n("Number", value=10),
    "y": n("Number", value=20),
    "s": n("Switch", condition=("c", 0), a=("x", 0), b=("y", 0)),
    "o": n("Show", value=("s", 0)),
}


def test_a_lazy_node_is_planned_by_its_stages():
    view = View()
    made = plan(view, LAZY)
    assert states(made) == {"c": "runs", "s": "depends", "o": "depends"}
    remember(view, made, "c", 1)
    made = plan(view, LAZY)
    assert states(made) == {"c": "remembered", "s": "runs", "o": "depends"}
    view.rows[made.steps["s"].calls[0].key] = Row(asks=("a",))
    made = plan(view, LAZY)
    assert states(made) == {"c": "remembered", "x": "runs", "s": "depends", "o": "depends"}
    assert made.steps["s"].asked == {"a"}
    remember(view, made, "x", 10)
    remember(view, plan(view, LAZY), "s", 10)
    assert states(plan(view, LAZY)) == {"c": "remembered", "x": "remembered", "s": "remembered", "o": "runs"}


def test_a_block_is_passed_on_without_a_row():
    view = View()
    graph = {"1": n("Gate", value=1, open=False), "2": n("Half", a=("1", 0)), "o": n("Show", value=("2", 0))}
    view.rows[plan(view, graph).steps["1"].calls[0].key] = Row(((BLOCKED,),))
    made = plan(view, graph, want=("2",), targets=["2", "o"])
    assert states(made) == dict.fromkeys("12o", "remembered") and made.steps["2"].outputs == ((BLOCKED,),)
    assert pack(Block()).digest == BLOCKED


def test_lists_are_planned_by_call():
    view = View()
    graph = {"1": n("Range", count=3), "2": n("Half", a=("1", 0)), "o": n("Sum", values=("2", 0))}
    digests = tuple(pack(i).digest for i in range(3))
    view.rows[plan(view, graph, targets=["o"]).steps["1"].calls[0].key] = Row((digests,))
    view.values |= set(digests)
    made = plan(view, graph, targets=["o"])
    assert len(made.steps["2"].calls) == 3 and made.steps["2"].state == "runs"
    for call, value in zip(made.steps["2"].calls[:2], (0, 0), strict=True):
        view.rows[call.key] = Row(((pack(value).digest,),))
    assert [row is None for row in plan(view, graph, targets=["o"]).steps["2"].rows] == [False, False, True]
    graph["1"] = n("Range", count=0)
    view.rows[plan(view, graph, targets=["o"]).steps["1"].calls[0].key] = Row(((),))
    made = plan(view, graph, targets=["o"])
    assert made.steps["2"].calls == () and made.steps["2"].outputs == ((),) and made.steps["2"].state == "remembered"


def test_what_lies_on_the_wires_after_all_calls():
    rows = (Row(((b"1",), (b"2", b"3"))), None, Row(((b"4",), ())))
    assert joined(rows, 2) == ((b"1", b"4"), (b"2", b"3")) and joined((), 2) == ((), ()) and joined((None,), 2) == ()


def test_a_trace_is_short():
    words = Registry()

    @words.node("Text")
    def text(value: str, seed: int) -> str: ...

    graph = read_graph({"1": n("Text", value="x" * 1000, seed=2**70)})
    node = validate(graph, words, Folders(), targets=["1"]).nodes["1"]
    found = trace(node, {"a": (b"d" * 32,), "b": ()})
    assert len(found["value"]) < 90 and found["a"] == b"d" * 8 and found["b"] == b""
    assert found["seed"] == str(2**70)


def test_a_long_chain_is_planned_without_recursion():
    graph = {"0": n("Number", value=1)} | {f"{i}": n("Add", a=(f"{i - 1}", 0), b=1) for i in range(1, 3_000)}
    assert len(plan(View(), graph, targets=["2999"]).steps) == 3_000


def test_the_plan_of_an_engine_is_what_its_run_does():
    words = Vocabulary()
    with engine(words) as e:
        e.run(CHAIN)
        words.calls.clear()
        made = e.plan(CHAIN, {"3.b": 5})
        assert states(made) == {"1": "remembered", "2": "remembered", "3": "runs", "o": "depends"}
        assert made.steps["3"].why == "b changed" and words.calls == []
