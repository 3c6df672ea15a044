"""What runs, what is remembered, and in which order; read off the events."""

import threading
import time
from pathlib import Path

import pytest
import torch

import nodes  # noqa: F401  (registers the codec of tensors)
from engine.errors import Cancelled, InputError, NodeFailure, OutOfMemory, ValidationError
from engine.events import Event, Failed, Finished, NodeFinished, NodeStarted, Progress, Saved, Started, WasCancelled
from engine.run import Run
from engine.types import Anything
from tests.engine.words import Vocabulary, engine, n, ran, recorded, remembered, whys

SUM = {
    "1": n("Number", value=3),
    "2": n("Number", value=4),
    "3": n("Add", a=("1", 0), b=("2", 0)),
    "4": n("Show", value=("3", 0)),
}


def test_a_graph_runs_once_and_is_remembered_then():
    words = Vocabulary()
    with engine(words) as e:
        result, events = recorded(e, SUM)
        assert result.outputs["4"].notes == {"text": ["7"]}
        assert sorted(ran(events)) == ["1", "2", "3", "4"] and ran(events)[2:] == ["3", "4"]
        assert isinstance(events[0], Started) and isinstance(events[-1], Finished)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        again, events = recorded(e, SUM)
        assert again.outputs["4"].notes == {"text": ["7"]}
        assert ran(events) == [] and remembered(events) == {"1", "2", "3", "4"}


def test_a_new_process_remembers(tmp_path: Path):
    with engine(Vocabulary(), tmp_path) as e:
        e.run(SUM)
    words = Vocabulary()
    with engine(words, tmp_path) as e:
        result, events = recorded(e, SUM, values=["3"])
        assert ran(events) == [] and words.calls == []
        assert result.values == {"3": ([7],)}


def test_a_change_runs_what_depends_on_it_and_says_why():
    with engine(Vocabulary()) as e:
        e.run(SUM)
        _, events = recorded(e, SUM, parameters={"2.value": 5})
        assert ran(events) == ["2", "3", "4"] and remembered(events) == {"1"}
        assert whys(events)["2"] == "value changed"


def test_an_equal_value_stops_the_change():
    words = Vocabulary()
    graph = {
        "1": n("Number", value=8),
        "2": n("Half", a=("1", 0)),
        "3": n("Half", a=("2", 0)),
        "4": n("Show", value=("3", 0)),
    }
    with engine(words) as e:
        e.run(graph)
        _, events = recorded(e, graph, parameters={"1.value": 9})
        assert ran(events) == ["1", "2"] and remembered(events) == {"3", "4"}


def test_ids_do_not_matter():
    renamed = {
        "a": n("Number", value=3),
        "b": n("Number", value=4),
        "sum": n("Add", a=("a", 0), b=("b", 0)),
        "out": n("Show", value=("sum", 0)),
    }
    with engine(Vocabulary()) as e:
        e.run(SUM)
        assert ran(recorded(e, renamed)[1]) == []


def test_equal_branches_run_once():
    words = Vocabulary()
    graph = {"s": n("Sum", values=("b0", 0))}
    for i in range(10):
        graph |= {
            f"a{i}": n("Number", value=1),
            f"b{i}": n("Half", a=(f"a{i}", 0)),
            f"c{i}": n("Show", value=(f"b{i}", 0)),
        }
    with engine(words) as e:
        _, events = recorded(e, graph)
        assert words.calls == [("Number", 1), ("Half", 1), ("Show", 0)]
        assert len(ran(events)) == 3 and len(remembered(events)) == 27


def test_running_a_then_b_then_a_runs_nothing_the_third_time():
    with engine(Vocabulary()) as e:
        e.run(SUM)
        e.run(SUM, {"1.value": 100})
        assert ran(recorded(e, SUM)[1]) == []


def test_targets_run_only_what_they_need():
    words = Vocabulary()
    graph = {**SUM, "5": n("Show", value=("1", 0))}
    with engine(words) as e:
        _, events = recorded(e, graph, targets=["5"])
        assert ran(events) == ["1", "5"]
        result, events = recorded(e, graph, targets=["3"], values=["3"])
        assert ran(events) == ["2", "3"] and result.values["3"] == ([7],)


def test_lists_map_over_nodes_and_are_remembered_per_call():
    words = Vocabulary()
    graph = {
        "1": n("Range", count=3),
        "2": n("Number", value=10),
        "3": n("Add", a=("1", 0), b=("2", 0)),
        "4": n("Sum", values=("3", 0)),
        "5": n("Show", value=("4", 0)),
    }
    with engine(words) as e:
        assert e.run(graph).outputs["5"].notes == {"text": ["33"]}
        assert words.called("Add") == [(0, 10), (1, 10), (2, 10)] and words.called("Sum") == [(10, 11, 12)]
        words.calls.clear()
        assert e.run(graph, {"1.count": 4}).outputs["5"].notes == {"text": ["46"]}
        assert words.called("Add") == [(3, 10)]


def test_an_empty_list_calls_nothing():
    words = Vocabulary()
    graph = {
        "1": n("Range", count=0),
        "2": n("Half", a=("1", 0)),
        "3": n("Sum", values=("2", 0)),
        "4": n("Show", value=("3", 0)),
    }
    with engine(words) as e:
        assert e.run(graph).outputs["4"].notes == {"text": ["0"]}
        assert words.called("Half") == [] and words.called("Sum") == [()]


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


def test_a_block_stops_its_consumers_and_is_reported_once():
    words = Vocabulary()
    graph = {
        "1": n("Gate", value=4, open=False),
        "2": n("Half", a=("1", 0)),
        "3": n("Show", value=("2", 0)),
        "4": n("Show", value=5),
    }
    with engine(words) as e:
        result, events = recorded(e, {**graph, "5": n("Number", value=5), "4": n("Show", value=("5", 0))})
        assert words.called("Half") == [] and words.called("Show") == [5]
        assert [event.message for event in events if hasattr(event, "message")] == ["closed"]
        assert result.outputs["4"].notes == {"text": ["5"]}


def test_an_expansion_takes_its_nodes_place_and_is_remembered(tmp_path: Path):
    words = Vocabulary()
    graph = {"1": n("Number", value=6), "2": n("Double", a=("1", 0)), "3": n("Show", value=("2", 0))}
    with engine(words, tmp_path) as e:
        result, events = recorded(e, graph)
        assert result.outputs["3"].notes == {"text": ["12"]} and ran(events) == ["1", "2", "2.1", "3"]
        assert ran(recorded(e, graph)[1]) == []


def test_a_cycle_that_an_expansion_makes_is_named():
    graph = {"1": n("Number", value=6), "2": n("Circle", a=("1", 0)), "3": n("Show", value=("2", 0))}
    with engine(Vocabulary()) as e:
        with pytest.raises(
            ValidationError, match=r"2 \(Circle\) -> 2.1 \(Half\) -> 2 \(Circle\)|2.1 .* -> 2 .* -> 2.1"
        ) as caught:
            e.run(graph)
        assert {fault.code for fault in caught.value.faults} == {"dependency_cycle"}
        assert e.run(SUM).outputs["4"].notes == {"text": ["7"]}


def test_a_node_that_fails_stops_the_run_and_what_was_done_stays():
    words = Vocabulary()
    graph = {"1": n("Number", value=6), "2": n("Fail", a=("1", 0)), "3": n("Show", value=("2", 0))}
    with engine(words) as e:
        events: list[Event] = []
        with pytest.raises(NodeFailure, match="Fail failed: ValueError: no 6") as caught:
            e.run(graph, on_event=events.append)
        assert (caught.value.node, caught.value.class_type) == ("2", "Fail")
        assert isinstance(events[-1], Failed) and events[-1].error["node"] == "2"
        assert e.run(SUM).outputs["4"].notes == {"text": ["7"]}
        words.calls.clear()
        with pytest.raises(NodeFailure):
            e.run(graph)
        assert words.calls == []


def test_an_impure_node_runs_each_time():
    words = Vocabulary()
    graph = {"1": n("Random"), "2": n("Half", a=("1", 0)), "3": n("Show", value=("2", 0))}
    with engine(words) as e:
        _, events = recorded(e, graph)
        assert whys(events)["1"] == "it always runs"
        assert ran(recorded(e, graph)[1]) == ["1", "2", "3"]


def test_a_declared_id_is_part_of_the_key():
    with engine(Vocabulary()) as e:
        first = e.run({"1": n("Who"), "2": n("Show", value=("1", 0))})
        second = e.run({"9": n("Who"), "2": n("Show", value=("9", 0))})
        assert (first.outputs["2"].notes, second.outputs["2"].notes) == ({"text": ["1"]}, {"text": ["9"]})


def test_a_file_that_changed_under_its_name_runs_again(tmp_path: Path):
    words = Vocabulary()
    file = tmp_path / "models" / "checkpoints" / "a.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"one")
    graph = {"1": n("Weights", name="a.safetensors"), "2": n("Show", value=("1", 0))}
    with engine(words, tmp_path) as e:
        e.run(graph)
        file.write_bytes(b"two")
        assert ran(recorded(e, graph)[1]) == ["1", "2"]
        file.write_bytes(b"one")
        assert ran(recorded(e, graph)[1]) == []


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


def test_an_input_changed_in_place_is_an_error():
    words = Vocabulary()

    @words.registry.node("Zeros")
    def zeros() -> Anything:
        return torch.zeros(2)

    with engine(words) as e, pytest.raises(InputError, match="changed its input in place") as caught:
        e.run({"1": n("Zeros"), "2": n("Mutate", tensor=("1", 0)), "3": n("Show", value=("2", 0))})
    assert (caught.value.node, caught.value.input) == ("2", "tensor")


def test_waits_on_the_io_lane_overlap():
    graph = {f"{i}": n("Wait", seconds=0.5, tag=i) for i in range(4)} | {
        f"o{i}": n("Show", value=(f"{i}", 0)) for i in range(4)
    }
    with engine(Vocabulary()) as e:
        _, events = recorded(e, graph)
    order = [type(event) for event in events if isinstance(event, NodeStarted | NodeFinished) and event.node in "0123"]
    assert order == [NodeStarted] * 4 + [NodeFinished] * 4


def test_async_nodes_overlap():
    graph = {f"{i}": n("Sleep", seconds=0.3, tag=i) for i in range(4)} | {
        f"o{i}": n("Show", value=(f"{i}", 0)) for i in range(4)
    }
    with engine(Vocabulary()) as e:
        _, events = recorded(e, graph)
    order = [type(event) for event in events if isinstance(event, NodeStarted | NodeFinished) and event.node in "0123"]
    assert order == [NodeStarted] * 4 + [NodeFinished] * 4


def test_a_cpu_branch_runs_while_the_device_is_busy():
    graph = {"d": n("Device", seconds=0.5), "od": n("Show", value=("d", 0))}
    graph |= {"1": n("Number", value=1), "2": n("Half", a=("1", 0)), "o": n("Show", value=("2", 0))}
    with engine(Vocabulary()) as e:
        result, events = recorded(e, graph)
    assert ran(events).index("o") < ran(events).index("d")
    assert "gpu" in result.outputs["od"].notes["text"][0]


def test_a_device_keeps_its_thread():
    with engine(Vocabulary()) as e:
        names = {
            e.run({"1": n("Device", seconds=i / 1000), "2": n("Show", value=("1", 0))}).outputs["2"].notes["text"][0]
            for i in range(5)
        }
    assert len(names) == 1


def test_progress_is_told():
    with engine(Vocabulary()) as e:
        _, events = recorded(e, {"1": n("Device", seconds=0.02), "2": n("Show", value=("1", 0))})
    assert {(event.node, event.value, event.maximum) for event in events if isinstance(event, Progress)} == {
        ("1", 0, 1)
    }


@pytest.mark.parametrize("node", ["Device", "Sleep"])
def test_a_cancelled_run_stops_within_a_step(node: str):
    cancel = threading.Event()
    events: list[Event] = []

    def listen(event: Event) -> None:
        events.append(event)
        if isinstance(event, NodeStarted):
            cancel.set()

    with engine(Vocabulary()) as e:
        began = time.monotonic()
        with pytest.raises(Cancelled):
            e.run({"1": n(node, seconds=8.0), "2": n("Show", value=("1", 0))}, on_event=listen, cancel=cancel)
        assert time.monotonic() - began < 4
        assert isinstance(events[-1], WasCancelled)
        assert e.run(SUM).outputs["4"].notes == {"text": ["7"]}


def test_two_runs_that_need_the_same_key_compute_it_once():
    words = Vocabulary()
    graph = {"1": n("Hold", value=3), "2": n("Show", value=("1", 0))}
    results = []
    with engine(words) as e:
        threads = [threading.Thread(target=lambda: results.append(e.run(graph))) for _ in range(5)]
        for thread in threads:
            thread.start()
        while not words.called("Hold"):
            time.sleep(0.01)
        time.sleep(0.1)
        words.gate.set()
        for thread in threads:
            thread.join()
    assert words.called("Hold") == [3] and [result.outputs["2"].notes for result in results] == [{"text": ["3"]}] * 5


def test_a_waiting_run_takes_over_from_one_that_was_cancelled():
    words = Vocabulary()
    graph = {"1": n("Device", seconds=1.0), "2": n("Show", value=("1", 0))}
    cancel = threading.Event()
    with engine(words) as e:

        def run_and_be_cancelled() -> None:
            with pytest.raises(Cancelled):
                e.run(graph, cancel=cancel)

        first = threading.Thread(target=run_and_be_cancelled)
        first.start()
        time.sleep(0.2)
        threading.Timer(0.2, cancel.set).start()
        assert "gpu" in e.run(graph).outputs["2"].notes["text"][0]
        first.join()


def test_values_are_dropped_after_their_last_consumer(monkeypatch: pytest.MonkeyPatch):
    held: list[int] = []
    settle = Run._settle

    def watch(run: Run, task: object) -> None:
        settle(run, task)  # type: ignore[arg-type]
        held.append(len(run._held._values))

    monkeypatch.setattr(Run, "_settle", watch)
    graph = {"0": n("Number", value=1)} | {f"{i}": n("Add", a=(f"{i - 1}", 0), b=i) for i in range(1, 20)}
    with engine(Vocabulary()) as e:
        e.run({**graph, "o": n("Show", value=("19", 0))})
    assert max(held) <= 2 and held[-1] == 0


def test_a_file_is_written_once_and_again_when_it_is_gone(tmp_path: Path):
    words = Vocabulary()
    graph = {"1": n("Text", value="hello"), "2": n("Save", text=("1", 0), prefix="notes/a")}
    with engine(words, tmp_path) as e:
        result, events = recorded(e, graph)
        path = tmp_path / "output" / "notes" / "a_00001_.txt"
        assert [file["path"] for file in result.outputs["2"].files] == [str(path)] and path.read_text() == "hello"
        assert [event.written for event in events if isinstance(event, Saved)] == [True]
        _, events = recorded(e, graph)
        assert [event.written for event in events if isinstance(event, Saved)] == [False]
    path.unlink()
    with engine(words, tmp_path) as e:
        _, events = recorded(e, graph)
        assert [event.written for event in events if isinstance(event, Saved)] == [True]
        assert path.read_text() == "hello" and words.called("Save") == ["hello"]


def test_a_ten_thousand_node_chain_runs_and_is_remembered(tmp_path: Path):
    graph = {"0": n("Number", value=1)} | {f"{i}": n("Add", a=(f"{i - 1}", 0), b=i) for i in range(1, 10_000)}
    graph["o"] = n("Show", value=("9999", 0))
    with engine(Vocabulary(), tmp_path) as e:
        assert e.run(graph).outputs["o"].notes == {"text": [str(1 + sum(range(10_000)))]}
        assert ran(recorded(e, graph)[1]) == []


def test_a_long_chain_of_equal_values_is_cut_off_without_recursion():
    words = Vocabulary()
    graph = {"0": n("Number", value=8), "1": n("Half", a=("0", 0))}
    graph |= {f"{i}": n("Add", a=(f"{i - 1}", 0), b=1) for i in range(2, 5_000)}
    graph["o"] = n("Show", value=("4999", 0))
    with engine(words) as e:
        e.run(graph)
        assert ran(recorded(e, graph, parameters={"0.value": 9})[1]) == ["0", "1"]


@pytest.mark.parametrize("error", [
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to ..."),
])  # fmt: skip
def test_a_node_that_runs_out_of_memory_says_so(error: Exception):
    words = Vocabulary()

    @words.registry.node("Greedy")
    def greedy() -> int:
        raise error

    with engine(words) as e, pytest.raises(OutOfMemory, match="Memory ran out in Greedy") as caught:
        e.run({"1": n("Greedy"), "2": n("Show", value=("1", 0))})
    assert caught.value.node == "1" and caught.value.expected and caught.value.hint


def test_a_number_of_any_size_is_remembered(tmp_path: Path):
    graph = {"1": n("Number", value=10**30), "2": n("Show", value=("1", 0))}
    with engine(Vocabulary(), tmp_path) as e:
        assert e.run(graph).outputs["2"].notes == {"text": [str(10**30)]}
    with engine(Vocabulary(), tmp_path) as e:
        assert ran(recorded(e, graph)[1]) == [] and ran(recorded(e, graph, parameters={"1.value": -(10**30)})[1])
