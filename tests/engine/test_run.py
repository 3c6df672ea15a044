"""What runs, what is remembered, and in which order; read off the events."""

import gc
from pathlib import Path
from typing import Annotated

import pytest
import torch

import nodes  # noqa: F401  (registers the codec of tensors)
from engine.errors import FileError, InputError, NodeFailure, OutOfMemory
from engine.events import (
    Event,
    Failed,
    Finished,
    Saved,
    Started,
    Warned,
)
from engine.node import Mentions, Shown
from engine.task import Task
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


def test_an_input_changed_in_place_is_an_error():
    words = Vocabulary()

    @words.registry.node("Zeros")
    def zeros() -> Anything:
        return torch.zeros(2)

    with engine(words) as e, pytest.raises(InputError, match="changed its input in place") as caught:
        e.run({"1": n("Zeros"), "2": n("Mutate", tensor=("1", 0)), "3": n("Show", value=("2", 0))})
    assert (caught.value.node, caught.value.input) == ("2", "tensor")


def mentions(folder: Path, texts: list[str]) -> tuple[Vocabulary, Path]:
    """Return a vocabulary whose Read mentions files in a text that Say, which is never remembered, gives."""
    file = folder / "models" / "embeddings" / "a.safetensors"
    file.parent.mkdir(parents=True)
    words = Vocabulary()

    @words.registry.node("Say", pure=False)
    def say() -> str:
        return texts[0]

    @words.registry.node("Read")
    def read(text: Annotated[str, Mentions("embeddings", r"<(.*)>")]) -> str:
        return file.read_text()

    return words, file


def test_a_file_that_an_unremembered_text_names_is_in_the_key(tmp_path: Path):
    words, file = mentions(tmp_path, ["<a>"])
    graph = {"1": n("Say"), "2": n("Read", text=("1", 0))}
    with engine(words, tmp_path) as e:
        for content in ("one", "two"):
            file.write_text(content)
            assert e.run(graph, values=["2"]).values["2"] == ([content],)


def test_a_result_of_a_file_that_changed_during_the_run_is_not_remembered(tmp_path: Path):
    words, file = mentions(tmp_path, ["<a>"])
    file.write_text("one")

    @words.registry.node("Change")
    def change(to: str) -> str:
        file.write_text(to)
        return "<a>"

    @words.registry.node("Late")
    def late(text: Annotated[str, Mentions("embeddings", r"<(.*)>")], after: str) -> str:
        return file.read_text()

    graph = {"1": n("Change", to="two"), "2": n("Late", text="<a>", after=("1", 0))}
    with engine(words, tmp_path) as e:
        result, events = recorded(e, graph, values=["2"])
        assert result.values["2"] == (["two"],)
        assert [event.node for event in events if isinstance(event, Warned)] == ["2"]
        file.write_text("one")
        assert e.run(graph, values=["2"]).values["2"] == (["one"],)


def test_a_linked_name_that_leaves_its_folder_is_told_with_its_node(tmp_path: Path):
    words, _ = mentions(tmp_path, ["<../a>"])
    with engine(words, tmp_path) as e, pytest.raises(FileError) as caught:
        e.run({"1": n("Say"), "2": n("Read", text=("1", 0))}, values=["2"])
    assert (caught.value.node, caught.value.class_type) == ("2", "Read")


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


def tasks_alive() -> int:
    return sum(type(thing) is Task for thing in gc.get_objects())


def test_a_run_that_has_ended_is_freed_without_a_collection():
    gc.collect()
    gc.disable()
    try:
        before = tasks_alive()
        with engine(Vocabulary()) as e:
            e.run(SUM)
        assert tasks_alive() == before
    finally:
        gc.enable()


def test_cycles_are_collected_while_nodes_run():
    words, enabled = Vocabulary(), []

    @words.registry.node("Look", output_node=True)
    def look(value: int) -> Shown[None]:
        enabled.append(gc.isenabled())
        return Shown(None, notes={"text": [str(value)]})

    with engine(words) as e:
        e.run({"1": n("Number", value=3), "2": n("Look", value=("1", 0))})
    assert enabled == [True] and gc.isenabled()
