"""The engine takes workflows in every form, and what it makes carries them on."""

import json
from pathlib import Path

import pytest

from engine.errors import FileError, ValidationError, WorkflowError
from engine.events import Started, Warned
from engine.formats import read
from engine.outputs import with_png_text
from tests.engine.words import Vocabulary, engine, n, recorded

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
    assert caught.value.faults[0].hint == "It is in the pack someone/pack."


@pytest.mark.parametrize("source", [[1], 3, {}, b"", b"\x00\x01\x02\x03\x04\x05\x06\x07\x08", {"nodes": []}])
def test_what_is_no_workflow(loom, source):
    with pytest.raises(WorkflowError):
        loom.check(source)


@pytest.mark.parametrize("path", ["missing.json", ".", "a\0b"])
def test_a_file_that_can_not_be_opened(loom, path):
    with pytest.raises(FileError, match="can't be opened"):
        loom.plan(path)
