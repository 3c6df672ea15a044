import json

import pytest
from PIL import Image

from tests.server.conftest import WORKFLOW

PICTURE = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 16, "height": 8, "batch_size": 1, "color": 255}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "blue"}},
}


def test_a_run_tells_each_node_and_the_output(loomis, workflow):
    ran = loomis("run", workflow)
    assert (ran.code, ran.out) == (0, "a fox\n")
    lines = [line.split()[:3] for line in ran.err.splitlines()[1:-1]]
    assert lines == [["1", "PrimitiveString", "ran"], ["2", "PreviewAny", "ran"]]


def test_the_second_run_is_remembered(loomis, workflow):
    first, second = loomis("run", workflow), loomis("run", workflow)
    assert second.out == first.out
    assert [line.split()[2:] for line in second.err.splitlines()[1:-1]] == [["remembered"]] * 2


def test_a_value_is_set_by_id_title_or_type(loomis, workflow):
    for name in ("1", "Text", "PrimitiveString"):
        assert loomis("run", workflow, "--set", f"{name}.value={name} = 1.50", "-q").out == f"{name} = 1.50\n"


def test_quiet_prints_the_output_alone(loomis, workflow):
    ran = loomis("run", workflow, "--quiet")
    assert (ran.out, ran.err) == ("a fox\n", "")


def test_json_tells_every_event_and_the_result(loomis, workflow):
    *told, last = loomis("run", workflow, "--json").lines
    assert [event["event"] for event in told] == [
        "started", "planned", "node_started", "node_finished", "node_started", "node_finished", "saved", "finished",
    ]  # fmt: skip
    assert [event["seq"] for event in told] == list(range(1, len(told) + 1))
    assert last["result"]["outputs"] == {"2": []}
    assert last["result"]["notes"] == {"2": {"text": ["a fox"]}}
    assert last["result"]["seconds"] >= 0


def test_only_runs_what_a_node_needs(loomis, workflow):
    *told, last = loomis("run", workflow, "--only", "Text", "--json").lines
    assert [event["node"] for event in told if event["event"] == "node_finished"] == ["1"]
    assert last["result"]["outputs"] == {}


def test_standard_input(loomis):
    ran = loomis("run", "-", "-q", input=json.dumps(WORKFLOW))
    assert (ran.code, ran.out) == (0, "a fox\n")


def test_files_are_written_where_out_says_and_again_when_they_are_gone(loomis, here):
    (here / "picture.json").write_text(json.dumps(PICTURE))
    first = loomis("run", "picture.json", "--out", "here")
    assert first.code == 0
    path = here / first.out.strip()
    assert path.parent == here / "here"
    with Image.open(path) as picture:
        assert picture.size == (16, 8)
    path.unlink()
    *_, last = loomis("run", "picture.json", "--out", "here", "--json").lines
    assert last["result"]["outputs"] == {"2": [str(path)]}
    with Image.open(path) as picture:
        assert picture.getpixel((0, 0)) == (0, 0, 255)


BAD = {
    "3": {"class_type": "PrimitivStrin", "inputs": {}},
    "4": {"class_type": "PreviewAny", "inputs": {"source": ["3", 0]}},
}


def test_partial_runs_the_rest(loomis, here):
    (here / "partial.json").write_text(json.dumps(WORKFLOW | BAD))
    assert loomis("run", "partial.json").code == 2
    ran = loomis("run", "partial.json", "--partial", "-q")
    assert (ran.code, ran.out) == (0, "a fox\n")
    assert ran.err.startswith("left out: Node 3: there is no node type")


def test_an_invalid_workflow_lists_every_fault(loomis, here):
    nodes = {"5": {"class_type": "PreviewAny", "inputs": {}}}
    (here / "bad.json").write_text(json.dumps(BAD | nodes))
    (error,) = loomis("run", "bad.json", "--json").lines
    assert [(fault["node"], fault["code"]) for fault in error["error"]["faults"]] == [
        ("3", "missing_node_type"),
        ("5", "required_input_missing"),
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "3", '{"1": 2}', "\xff"])
def test_a_file_that_is_no_workflow_is_one_error(loomis, here, text):
    (here / "bad.json").write_text(text, encoding="latin-1")
    ran = loomis("run", "bad.json")
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert ran.err.count("error: ") == 1


def test_an_output_folder_that_can_not_be_written(loomis, here):
    (here / "picture.json").write_text(json.dumps(PICTURE))
    (here / "file").touch()
    ran = loomis("run", "picture.json", "--out", "file")
    assert ran.code == 3
    assert "can't be written" in ran.err
