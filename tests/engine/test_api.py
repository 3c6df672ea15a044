"""The engine from Python, as the README shows it."""

import json
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import pytest

from engine import Engine, Folders, Registry
from engine.context import Context, Environment, Usage
from engine.errors import Cancelled, FileError, Paused, ValidationError, WorkflowError
from engine.events import Event, NodeFinished, NodeStarted, Started, Warned
from engine.formats import read
from engine.node import Artifact, Field, Shown
from engine.outputs import with_png_text
from engine.values import pack
from tests.engine.words import Vocabulary, engine, n, ran, recorded, remembered

GRAPH = {
    "1": n("Text", value="hello") | {"_meta": {"title": "Words"}},
    "2": n("Save", text=("1", 0), prefix="a"),
    "3": n("Number", value=4),
    "4": n("Half", a=("3", 0)),
}


def test_ten_lines(tmp_path: Path):
    registry = Registry()

    @registry.node("Repeat")
    def repeat(text: str, times: Annotated[int, Field(ge=1)] = 2) -> str:
        return text * times

    @registry.node("Write", output_node=True)
    def write(text: str) -> Shown[None]:
        return Shown(None, files=(Artifact(text.encode(), "text", ".txt"),), notes={"text": [text]})

    workflow = {
        "1": {"class_type": "Repeat", "inputs": {"text": "ab", "times": 2}},
        "2": {"class_type": "Write", "inputs": {"text": ["1", 0]}},
    }
    with Engine(registry, folders=Folders(output=tmp_path / "output"), data=tmp_path / "data") as e:
        result = e.run(workflow, {"Repeat.times": 3}, values=["1"])
    assert result.values == {"1": (["ababab"],)} and result.outputs["2"].notes == {"text": ["ababab"]}
    assert Path(result.outputs["2"].files[0]["path"]).read_text() == "ababab"
    assert result.seconds > 0 and result.faults == () and len(result.job) == 32


def test_a_file_and_parameters_by_id_title_and_type(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(GRAPH))
    with engine(Vocabulary(), tmp_path) as e:
        for source in (path, str(path)):
            found = e.run(source, {"1.value": "by id"}, values=["1"])
            assert found.values["1"] == (["by id"],)
        assert e.run(path, {"Words.value": "by title"}, values=["Words"]).values == {"Words": (["by title"],)}
        assert e.run(path, {"Text.value": "by type"}, values=["Text"]).values == {"Text": (["by type"],)}
        with pytest.raises(FileError, match="can't be opened"):
            e.run(tmp_path / "gone.json")
    assert json.loads(path.read_text()) == json.loads(json.dumps(GRAPH))


def test_values_are_wanted_beside_the_outputs_or_alone(tmp_path: Path):
    with engine(Vocabulary(), tmp_path) as e:
        result, events = recorded(e, GRAPH, values=["4"])
        assert result.values == {"4": ([2],)} and result.outputs.keys() == {"2"}
        assert set(ran(events)) == {"1", "2", "3", "4"}
        result = e.run(GRAPH, targets=["2"], values=["4", "4"])
        assert result.values == {"4": ([2],)} and result.outputs.keys() == {"2"}
        result = e.run({id: GRAPH[id] for id in ("3", "4")}, values=["4", "3"])
        assert result.values == {"4": ([2],), "3": ([4],)} and result.outputs == {}
        assert e.run(GRAPH, targets=["3"]).outputs == {}
        with pytest.raises(ValidationError, match="no output node"):
            e.run({"3": GRAPH["3"]})


def test_partial_runs_what_is_valid_and_says_what_is_not(tmp_path: Path):
    graph = {**GRAPH, "x": n("Number", value="no"), "5": n("Show", value=("x", 0))}
    with engine(Vocabulary(), tmp_path) as e:
        with pytest.raises(ValidationError) as caught:
            e.run(graph)
        result = e.run(graph, partial=True, values=["4", "x"])
        assert result.outputs.keys() == {"2"} and result.values == {"4": ([2],)}
        assert [fault.node for fault in result.faults] == [fault.node for fault in caught.value.faults] == ["x"]


def test_a_job_and_extra_data(tmp_path: Path):
    words = Vocabulary()

    @words.registry.node("Png", output_node=True)
    def png() -> Shown[None]:
        return Shown(None, files=(Artifact(b"\x89PNG\r\n\x1a\n" + b"0" * 40, "p"),))

    with engine(words, tmp_path) as e:
        result = e.run({"1": n("Png")}, job="mine", extra={"workflow": {"nodes": []}})
    assert result.job == "mine"
    assert b'tEXtworkflow\0{"nodes": []}' in Path(result.outputs["1"].files[0]["path"]).read_bytes()


def test_a_plan_runs_nothing():
    words = Vocabulary()
    with engine(words) as e:
        plan = e.plan(GRAPH, {"3.value": 6}, targets=["4"])
        assert plan.nodes("runs") == ("3",) and plan.nodes("depends") == ("4",) and words.calls == []


def test_an_output_folder_that_can_not_be_written_is_told_before_anything_runs(tmp_path: Path):
    words = Vocabulary()
    (tmp_path / "output").write_text("in the way")
    with engine(words, tmp_path) as e, pytest.raises(FileError, match="can't be written"):
        e.run(GRAPH)
    assert words.calls == []


def test_cancel_while_a_node_computes_in_this_thread():
    words = Vocabulary()
    cancel = threading.Event()

    @words.registry.node("Spin")
    def spin(ctx: Context, seconds: float) -> int:
        threading.Timer(0.02, cancel.set).start()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ctx.check()
        return 1

    with engine(words) as e:
        began = time.monotonic()
        with pytest.raises(Cancelled):
            e.run({"1": n("Spin", seconds=20.0), "2": n("Half", a=("1", 0))}, values=["2"], cancel=cancel)
        assert time.monotonic() - began < 10 and words.calls == []


def test_keep_has_cheap_values_on_disk_afterwards(tmp_path: Path):
    words = Vocabulary()

    @words.registry.node("Copy")
    def copy(text: str) -> str:
        return text

    graph = {"1": n("Copy", text="x" * 100_000), "2": n("Show", value=("1", 0))}
    digest = pack("x" * 100_000).digest
    for options in ({}, {"keep": ["1"]}, {"keep": ["1"]}):
        with engine(words, tmp_path) as e:
            e.run(graph, **options)
        with engine(words, tmp_path) as e:
            assert e.store.has(digest) is bool(options)
    assert words.called("Show") == ["x" * 100_000]


def test_free_lets_go_of_what_is_in_memory_and_nothing_is_computed_again(tmp_path: Path):
    words = Vocabulary()
    held = Usage(reserved=7, used=5)

    class Weights:
        def __init__(self, environment: Environment) -> None:
            self.held = held

        def usage(self) -> Usage:
            return self.held

        def drop(self) -> None:
            self.held = Usage()

    @words.registry.node("Load")
    def load(ctx: Context, text: str) -> str:
        ctx.use(Weights)
        ctx.use(lambda environment: "no memory to speak of")
        return text

    graph = {"1": n("Load", text="x" * 100_000), "2": n("Text", value=("1", 0)), "3": n("Show", value=("2", 0))}
    with engine(words, tmp_path) as e:
        assert e.usage() == Usage()
        e.run(graph, keep=["1"])
        assert (e.usage(), e.store.stats().memory_values > 0) == (held, True)
        e.free(values=True)
        assert (e.usage(), e.store.stats().memory_values) == (held, 0)
        e.free(models=True)
        assert e.usage() == Usage()
        words.calls.clear()
        assert e.run(graph, values=["1"]).values["1"] == (["x" * 100_000],)
        assert words.calls == []


def test_pause_lets_the_node_that_runs_end_and_starts_no_other():
    words = Vocabulary()
    pause = threading.Event()
    events: list[Event] = []
    graph = {"1": n("Device", seconds=0.2), "2": n("Text", value=("1", 0)), "3": n("Show", value=("2", 0))}

    def listen(event: Event) -> None:
        events.append(event)
        if isinstance(event, NodeStarted):
            pause.set()

    with engine(words) as e:
        with pytest.raises(Paused):
            e.run(graph, on_event=listen, pause=pause)
        assert ran(events) == ["1"]
        _, later = recorded(e, graph)
        assert remembered(later) == {"1"}
        assert ran(later) == ["2", "3"]


def test_pause_when_everything_is_done_changes_nothing():
    words = Vocabulary()
    pause = threading.Event()
    with engine(words) as e:
        graph = {"1": n("Number", value=1), "2": n("Show", value=("1", 0))}

        def listen(event: Event) -> None:
            if isinstance(event, NodeFinished) and event.node == "2":
                pause.set()

        assert e.run(graph, on_event=listen, pause=pause).outputs["2"].notes["text"] == ["1"]


def test_cancel_between_many_small_nodes():
    words = Vocabulary()
    cancel = threading.Event()
    graph = {"1": n("Number", value=1)} | {f"{i}": n("Add", a=(f"{i - 1}", 0), b=1) for i in range(2, 2000)}

    def listen(event: Event) -> None:
        if event.seq == 100:
            cancel.set()

    with engine(words) as e:
        with pytest.raises(Cancelled):
            e.run(graph, values=["1999"], on_event=listen, cancel=cancel)
        assert 0 < len(words.calls) < 200
        assert e.run(graph, values=["1999"]).values == {"1999": ([1999],)}


def test_two_engines_on_one_folder_share_results_and_never_a_file_name(tmp_path: Path):
    one, two = Vocabulary(), Vocabulary()
    with engine(one, tmp_path) as first, engine(two, tmp_path) as second:
        files = first.run(GRAPH).outputs["2"].files
        first.store.flush()
        assert second.run(GRAPH).outputs["2"].files == files and two.calls == []
        results: list[str] = []

        def run(e: Engine, text: str) -> None:
            results.append(e.run(GRAPH, {"1.value": text}).outputs["2"].files[0]["path"])

        threads = [threading.Thread(target=run, args=((first, second)[i % 2], f"text {i}")) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(results)) == 8
        assert sorted(Path(path).read_text() for path in results) == [f"text {i}" for i in range(8)]


def test_many_runs_at_once_of_one_graph_agree(tmp_path: Path):
    words = Vocabulary()
    results: list[Any] = []
    with engine(words, tmp_path) as e:
        threads = [threading.Thread(target=lambda: results.append(e.run(GRAPH).outputs)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(results) == 8 and all(each == results[0] for each in results)
        assert words.called("Save") == ["hello"]
        path = Path(results[0]["2"].files[0]["path"])
        for _ in range(20):
            path.unlink()
            threads = [threading.Thread(target=lambda: results.append(e.run(GRAPH).outputs)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert path.read_text() == "hello"
            assert list(path.parent.iterdir()) == [path]
        assert len(results) == 88


API = {"1": n("Text", value="a fox"), "2": n("Save", text=("1", 0), prefix="fox")}
SAVED = {
    "version": 0.4,
    "nodes": [
        {"id": 1, "type": "Text", "outputs": [{"name": "STRING", "type": "STRING", "links": [1]}],
         "widgets_values": ["a fox"]},
        {"id": 2, "type": "Save", "inputs": [{"name": "text", "type": "STRING", "link": 1, "widget": {"name": "text"}}],
         "widgets_values": ["", "fox", "too many"]},
    ],
    "links": [[1, 1, 0, 2, 0, "STRING"]],
}  # fmt: skip
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c6360000000020001e221bc330000000049454e44ae426082"
)


@pytest.fixture
def loom(tmp_path):
    words = Vocabulary()
    with engine(words, tmp_path) as opened:
        yield opened


def saved_text(result):
    (file,) = result.outputs["2"].files
    return Path(file["path"]).read_text()


@pytest.mark.parametrize("form", ["mapping", "bytes", "path", "text path", "loaded", "envelope", "picture"])
@pytest.mark.parametrize("workflow", [API, SAVED], ids=["api", "saved"])
def test_every_form_of_a_workflow_runs(loom, tmp_path, form, workflow):
    path = tmp_path / "workflow"
    path.write_text(json.dumps(workflow))
    source = {
        "mapping": workflow,
        "bytes": path.read_bytes(),
        "path": path,
        "text path": str(path),
        "loaded": loom.load(workflow),
        "envelope": {"prompt": workflow},
        "picture": with_png_text(PIXEL, {"prompt" if workflow is API else "workflow": workflow}),
    }[form]
    assert saved_text(loom.run(source)) == "a fox"


def test_the_document_travels_with_the_picture(loom, monkeypatch):
    texts = []
    monkeypatch.setattr("engine.outputs.SPLICERS", {".txt": lambda data, found: texts.append(found) or data})
    loom.run(SAVED, {"Text.value": "a hare"}, extra={"note": 1})
    (found,) = texts
    assert found["workflow"] == SAVED
    assert found["prompt"]["1"]["inputs"] == {"value": "a hare"}
    assert found["note"] == 1
    again = read(with_png_text(PIXEL, found))
    assert (again.saved, again.api) == (SAVED, found["prompt"])


def test_remarks_are_events_and_part_of_the_result(loom):
    result, events = recorded(loom, SAVED)
    assert [type(event) for event in events[:2]] == [Started, Warned]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[1].message.startswith("Node 2 (Save): The node has 3 widget values and its type has 2.")
    assert [remark.code for remark in result.diagnostics] == ["misaligned_values"]


def test_what_validation_says_is_not_said_twice(loom):
    graph = {**API, "3": n("Foreign"), "4": "a note"}
    result, events = recorded(loom, graph)
    assert [event.message for event in events if isinstance(event, Warned)] == []
    assert [fault.code for fault in result.faults] == ["missing_node_type"]


@pytest.mark.parametrize(
    "broken", [{"inputs": {}}, {"class_type": None, "inputs": {}}, {"class_type": "Text", "inputs": 3}]
)
def test_a_node_that_is_none_refuses_the_graph(loom, broken):
    graph = {**API, "3": broken, "4": n("Show")}
    with pytest.raises(ValidationError) as caught:
        loom.run(graph)
    assert [(fault.code, fault.node) for fault in caught.value.faults] == [
        ("invalid_prompt", "3"),
        ("required_input_missing", "4"),
    ]
    with pytest.raises(ValidationError, match="entry 3"):
        loom.check(API | {"3": broken})
    result = loom.run(graph, partial=True)
    assert saved_text(result) == "a fox"
    assert [fault.node for fault in result.faults] == ["3", "4"]


def test_the_pack_of_an_unknown_type_is_told(loom):
    graph = {
        **API,
        "2": n("Foreign", text=("1", 0)) | {"_meta": {"aux_id": "someone/pack"}},
        "3": n("Show", value=("2", 0)),
    }
    with pytest.raises(ValidationError) as caught:
        loom.check(graph)
    assert (
        caught.value.faults[0].hint
        == "It is in the pack someone/pack. Name the folder of the pack with --custom-nodes."
    )


@pytest.mark.parametrize("source", [[1], 3, {}, b"", b"\x00\x01\x02\x03\x04\x05\x06\x07\x08", {"nodes": []}])
def test_what_is_no_workflow(loom, source):
    with pytest.raises(WorkflowError):
        loom.check(source)


@pytest.mark.parametrize("path", ["missing.json", ".", "a\0b", "a" * 300])
def test_a_file_that_can_not_be_opened(loom, path):
    with pytest.raises(FileError, match="can't be opened"):
        loom.plan(path)


@pytest.mark.parametrize("node", ["Device", "Sleep"])
def test_closing_an_engine_cancels_what_runs(node: str):
    started = threading.Event()
    caught: list[BaseException] = []
    e = engine(Vocabulary())

    def run() -> None:
        try:
            e.run({"1": n(node, seconds=20.0), "2": n("Show", value=("1", 0))}, on_event=lambda event: started.set())
        except Cancelled as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(10)
    e.close()
    thread.join(10)
    assert len(caught) == 1
