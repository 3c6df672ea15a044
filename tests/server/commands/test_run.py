import json
import os
from pathlib import Path

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


def saved_picture(**changes):
    """Return PICTURE as the editor saves it, with values of the first node that are as given."""
    image = {"id": 1, "type": "EmptyImage", "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [1]}]}
    save = {"id": 2, "type": "SaveImage", "inputs": [{"name": "images", "type": "IMAGE", "link": 1}]}
    values = {"widgets_values": [16, 8, 1, 255]} | changes
    return {"version": 0.4, "nodes": [image | values, save | {"widgets_values": ["blue"]}], "links": [[1, 1, 0, 2, 0]]}


def test_a_saved_workflow_runs_and_so_does_its_picture(loomis, here):
    document = saved_picture()
    (here / "saved.json").write_text(json.dumps(document))
    path = loomis("run", "saved.json", "-q", "--set", "1.width=24").out.strip()
    with Image.open(path) as picture:
        assert picture.size == (24, 8)
        assert json.loads(picture.text["workflow"]) == document
        assert json.loads(picture.text["prompt"])["1"]["inputs"]["width"] == 24
    *told, last = loomis("run", path, "--json").lines
    assert {event["event"] for event in told} >= {"remembered", "saved"}
    assert last["result"]["outputs"] == {"2": [str(here / path)]}


def test_what_was_noticed_is_a_warning_and_in_the_result(loomis, here):
    (here / "odd.json").write_text(json.dumps(saved_picture(widgets_values=[16, 8, 1, 255, "more"])))
    warning = "Node 1 (EmptyImage): The node has 5 widget values and its type has 4."
    for command in ("run", "plan"):
        assert f"warning: {warning}" in loomis(command, "odd.json").err
    *told, last = loomis("run", "odd.json", "--json").lines
    assert [event["message"].startswith(warning) for event in told if event["event"] == "warned"] == [True]
    assert [each["code"] for each in last["result"]["diagnostics"]] == ["misaligned_values"]


def test_a_workflow_that_is_refused_tells_what_was_noticed(loomis, here):
    (here / "bad.json").write_text(json.dumps(saved_picture(widgets_values=[0, 8, 1, 255, "more"])))
    ran = loomis("run", "bad.json")
    assert ran.code == 2
    assert [line.partition(":")[0] for line in ran.err.splitlines() if ": " in line] == ["warning", "error"]


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


def test_models_that_are_not_here_can_be_replaced(loomis, here):
    graph = {
        "1": {"class_type": "UpscaleModelLoader", "inputs": {"model_name": "x4-UltraSharp.pth"}},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
    }
    (here / "w.json").write_text(json.dumps(graph))
    assert loomis("run", "w.json").code == 2
    assert loomis("check", "w.json").code == 2
    ours = "realesr-animevideov3_x4.safetensors"
    warning = f"warning: Node 1 (UpscaleModelLoader): {ours} takes the place of x4-UltraSharp.pth."
    for option in (("--nearest-models",), ("--model-map", f"x4-UltraSharp.pth={ours}")):
        ran = loomis("run", "w.json", *option)
        assert (ran.code, ran.err.splitlines()[0]) == (0, warning)
        assert loomis("plan", "w.json", *option).code == loomis("check", "w.json", *option).code == 0


def test_json_lines_run_one_after_the_other_whatever_becomes_of_each(loomis, workflow):
    lines = [
        json.dumps(WORKFLOW),
        json.dumps({"file": workflow, "set": {"Text.value": "a hare"}}),
        "no json",
        json.dumps({"workflow": WORKFLOW, "set": {"value": 7}}),
        json.dumps({"file": "none.json"}),
        json.dumps({"file": 3}),
        "",
        json.dumps({"file": workflow, "set": {"Txt.value": "a"}}),
        json.dumps({"file": workflow}),
    ]
    ran = loomis("run", "-", "-q", input="\n".join(lines))
    assert (ran.code, ran.out) == (3, "a fox\na hare\n7\na fox\n")
    told = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert [line.split(": ")[1][:22] for line in told] == [
        "Line 3 is no JSON obje", "none.json can't be ope", "Line 6 names no workfl", "No node is called 'Txt",
    ]  # fmt: skip
    (*_, last) = loomis("run", "-", "--json", input=lines[1]).lines
    assert last["result"]["notes"] == {"2": {"text": ["a hare"]}}


def test_nodes_of_packs_run_and_packs_that_fail_are_told(loomis, tmp_path, monkeypatch):
    packs = Path(__file__).parents[2] / "nodes" / "packs" / "packs"
    shout = {"class_type": "Shout", "inputs": {"text": "hey", "times": 1}}
    show = {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}}
    file = tmp_path / "shout.json"
    file.write_text(json.dumps({"1": shout, "2": show}))
    ran = loomis("run", str(file), "--custom-nodes", str(packs / "classic"))
    assert (ran.code, ran.out) == (0, "HEY!\n")
    monkeypatch.setenv("LOOMIS_CUSTOM_NODES", f"{packs / 'classic'}{os.pathsep}{packs / 'broken'}")
    again = loomis("run", str(file))
    assert (again.code, again.out) == (0, "HEY!\n") and "2 remembered" in again.err
    assert loomis("nodes", "Shout").out.startswith("Shout: Shout it (classic/words)")
    missing = loomis("run", str(file), "--custom-nodes", str(tmp_path / "nowhere"))
    assert missing.code == 2 and "is not there" in missing.err
