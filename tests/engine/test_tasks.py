"""What a node needs: lazy inputs, values that are made again, values that are let go."""

from pathlib import Path

import pytest

import nodes  # noqa: F401  (registers the codec of tensors)
from engine.context import Context
from engine.errors import StoreError
from engine.events import Event, NodeStarted
from engine.task import Task
from engine.tasks import Tasks
from engine.values import pack
from tests.engine.words import Vocabulary, engine, n, ran, recorded, remembered, whys


def switch(condition: int) -> dict[str, dict[str, object]]:
    return {
        "c": n("Number", value=condition),
        "x": n("Number", value=10),
        "y": n("Number", value=20),
        "x2": n("Half", a=("x", 0)),
        "y2": n("Half", a=("y", 0)),
        "s": n("Switch", condition=("c", 0), a=("x2", 0), b=("y2", 0)),
        "o": n("Show", value=("s", 0)),
    }


def test_a_lazy_input_that_is_not_needed_is_not_made(tmp_path: Path):
    words = Vocabulary()
    with engine(words, tmp_path) as e:
        result, events = recorded(e, switch(1))
        assert result.outputs["o"].notes == {"text": ["5"]}
        assert {"y", "y2"} & set(ran(events)) == set()
        assert ran(recorded(e, switch(1))[1]) == []
        result, events = recorded(e, switch(0))
        assert result.outputs["o"].notes == {"text": ["10"]} and words.called("Half") == [10, 20]
    with engine(words, tmp_path) as e:
        words.calls.clear()
        assert recorded(e, switch(0))[0].outputs["o"].notes == {"text": ["10"]}
        assert words.calls == []


def test_what_a_lazy_input_did_not_need_is_no_part_of_its_key():
    with engine(Vocabulary()) as e:
        e.run(switch(1))
        changed = switch(1) | {"y": n("Number", value=99)}
        assert ran(recorded(e, changed)[1]) == []


def test_an_opaque_value_is_made_again_only_for_a_node_that_runs(tmp_path: Path):
    words = Vocabulary()
    graph = {"1": n("Handle", a=1), "2": n("Use", handle=("1", 0), b=5), "3": n("Show", value=("2", 0))}
    with engine(words, tmp_path) as e:
        e.run(graph)
    words.calls.clear()
    with engine(words, tmp_path) as e:
        assert ran(recorded(e, graph)[1]) == []
        _, events = recorded(e, graph, parameters={"2.b": 6})
        assert ran(events) == ["1", "2", "3"] and whys(events)["1"] == "its value is gone from the store"


def test_values_are_dropped_after_their_last_consumer(monkeypatch: pytest.MonkeyPatch):
    held: list[int] = []
    settle = Tasks.settle

    def watch(tasks: Tasks, task: Task) -> None:
        settle(tasks, task)
        held.append(len(tasks._held._values))

    monkeypatch.setattr(Tasks, "settle", watch)
    graph = {"0": n("Number", value=1)} | {f"{i}": n("Add", a=(f"{i - 1}", 0), b=i) for i in range(1, 20)}
    with engine(Vocabulary()) as e:
        e.run({**graph, "o": n("Show", value=("19", 0))})
    assert max(held) <= 2 and held[-1] == 0


def test_a_long_chain_of_equal_values_is_cut_off_without_recursion():
    words = Vocabulary()
    graph = {"0": n("Number", value=8), "1": n("Half", a=("0", 0))}
    graph |= {f"{i}": n("Add", a=(f"{i - 1}", 0), b=1) for i in range(2, 5_000)}
    graph["o"] = n("Show", value=("4999", 0))
    with engine(words) as e:
        e.run(graph)
        assert ran(recorded(e, graph, parameters={"0.value": 9})[1]) == ["0", "1"]


def test_remembered_nodes_run_again_when_their_values_are_lost_during_the_run():
    graph = {
        "1": n("Number", value=8),
        "2": n("Half", a=("1", 0)),
        "3": n("Half", a=("2", 0)),
        "r": n("Random"),
        "4": n("Add", a=("3", 0), b=("r", 0)),
        "o": n("Show", value=("4", 0)),
    }
    words = Vocabulary()
    with engine(words) as e:
        e.run(graph)
        events: list[Event] = []

        def hear(event: Event) -> None:
            events.append(event)
            if isinstance(event, NodeStarted) and event.node == "r":
                e.store.clear()

        e.run(graph, on_event=hear)
        assert remembered(events) == {"1", "2", "3"}
        assert ran(events) == ["r", "1", "2", "3", "4", "o"]
        assert words.called("Half") == [8, 4, 8, 4]
        assert words.called("Show")[-1] == words.called("Add")[-1][1] + 2


def test_a_node_that_runs_makes_tasks_of_its_own_sources_only(monkeypatch: pytest.MonkeyPatch):
    made: list[str] = []
    init = Task.__post_init__

    def watch(task: Task) -> None:
        init(task)
        made.append(task.node.id)

    monkeypatch.setattr(Task, "__post_init__", watch)
    graph = {"0": n("Number", value=1)} | {f"{i}": n("Add", a=(f"{i - 1}", 0), b=i) for i in range(1, 20)}
    graph["o"] = n("Show", value=("19", 0))
    with engine(Vocabulary()) as e:
        e.run(graph)
        made.clear()
        e.run(graph)
        assert made == []
        e.run(graph, parameters={"19.b": 50})
        assert made == ["19", "18", "o"]


def referring(words: Vocabulary) -> dict[str, dict[str, object]]:
    """A text that names a value by its digest, as a recipe does, on its way past a node to one that follows it."""

    @words.registry.node("Refer")
    def refer(value: str) -> str:
        words.calls.append(("Refer", value))
        return pack(value).digest.hex()

    @words.registry.node("Follow")
    def follow(ctx: Context, reference: str, b: int) -> str:
        words.calls.append(("Follow", b))
        return f"{ctx.environment.value(bytes.fromhex(reference))}{b}"

    return {
        "1": n("Text", value="long " * 20_000),
        "2": n("Refer", value=("1", 0)),
        "3": n("Text", value=("2", 0)),
        "4": n("Follow", reference=("3", 0), b=1),
        "o": n("Show", value=("4", 0)),
    }


def test_a_value_that_another_refers_to_is_made_again(tmp_path: Path):
    words = Vocabulary()
    graph = referring(words)
    with engine(words, tmp_path) as e:
        assert ran(recorded(e, graph)[1]) == ["1", "2", "3", "4", "o"]
        assert ran(recorded(e, graph, parameters={"4.b": 2})[1]) == ["4", "o"]
    with engine(words, tmp_path) as e:  # the text was cheaper to make than to read
        assert ran(recorded(e, graph)[1]) == []
        result, events = recorded(e, graph, parameters={"4.b": 3})
        assert ran(events) == ["1", "4", "o"] and whys(events)["1"] == "its value is gone from the store"
        assert result.outputs["o"].notes == {"text": ["long " * 20_000 + "3"]}
        assert words.called("Follow") == [1, 2, 3, 3] and len(words.called("Refer")) == 1


def test_a_value_that_another_refers_to_and_that_can_not_be_kept_is_an_error():
    words = Vocabulary()
    graph = referring(words)
    with engine(words, memory_bytes=10_000) as e:
        with pytest.raises(StoreError, match="refers to is gone") as caught:
            e.run(graph)
        assert (caught.value.node, caught.value.class_type) == ("4", "Follow") and caught.value.hint
        assert words.called("Follow") == [1, 1]
        assert ran(recorded(e, {"1": n("Number", value=1), "o": n("Show", value=("1", 0))})[1]) == ["1", "o"]


def test_a_value_that_nothing_makes_is_an_error():
    words = Vocabulary()
    graph = referring(words) | {"3": n("Text", value=pack("nothing").digest.hex())}
    with engine(words) as e, pytest.raises(StoreError, match="refers to is gone"):
        e.run(graph)
    assert words.called("Follow") == [1]
