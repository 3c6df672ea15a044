import json
import os
from collections import Counter
from pathlib import Path

import pytest

import nodes
from engine import Folders
from engine.model_map import ModelMap
from server.commands.check import check_all
from server.workflow import find_workflows
from tests.server.conftest import SAVED, WORKFLOW

PAIRS = Path(os.environ.get("LOOMIS_REFERENCE", Path(__file__).parents[4] / "shared")) / "corpus" / "pairs"
BAD = {
    "1": {"class_type": "VAELoader", "inputs": {"vae_name": "gone.pt"}},
    "2": {"class_type": "VAEDecode", "inputs": {"vae": ["1", 0], "samples": ["3", 0]}},
    "3": {"class_type": "EmptyLatentImage", "inputs": {"width": 8, "height": 64, "batch_size": 1}},
    "4": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "x"}},
    "5": {"class_type": "Far", "inputs": {}, "_meta": {"cnr_id": "far-pack"}},
}


def test_workflows_that_run(loomis, workflow, saved):
    ran = loomis("check", workflow, saved)
    assert ran.code == 0
    assert [line.split() for line in ran.out.splitlines()] == [
        ["workflow", "format", "state", "missing", "or", "wrong"],
        ["workflow.json", "api", "runs"],
        ["saved.json", "saved-0.4", "runs"],
        ["2", "of", "2", "workflows", "run", "here"],
    ]


def test_what_one_lacks_and_what_to_do(loomis, here):
    (here / "bad.json").write_text(json.dumps(BAD))
    ran = loomis("check", "bad.json")
    assert ran.code == 2
    assert "refused  1 node type, 1 model, 1 value" in ran.out
    rows = ran.out.split("\n\n")[1].splitlines()
    assert [row.split("  ")[0] for row in rows[1:-1]] == ["node type", "model", "value"]
    assert rows[1].endswith("node 5     It is in the pack far-pack. Name the folder of the pack with --custom-nodes.")
    assert rows[2].endswith(f"node 1     Put the file into {here}/models/vae.")
    assert rows[3].endswith("node 3     Use 16 or more.")
    assert rows[-1] == "0 of 1 workflows run here"


def test_a_folder(loomis, here):
    folder = here / "all"
    folder.mkdir()
    (folder / "a.json").write_text(json.dumps(BAD))
    (folder / "b.json").write_text(json.dumps(WORKFLOW | {"5": BAD["5"]}))
    (folder / "c.json").write_text("{}")
    (folder / "d.json").write_text(json.dumps(WORKFLOW))
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff\xd9")
    ran = loomis("check", "all", "--json")
    assert ran.code == 2
    (found,) = ran.lines
    assert [(each["file"], each["state"]) for each in found["workflows"]] == [
        ("all/a.json", "refused"),
        ("all/b.json", "in part"),
        ("all/c.json", "unreadable"),
        ("all/d.json", "runs"),
    ]
    assert (found["runs"], found["total"]) == (1, 4)
    assert found["workflows"][0]["lacks"][0] == {
        "kind": "type",
        "name": "Far",
        "nodes": ["5"],
        "do": "It is in the pack far-pack. Name the folder of the pack with --custom-nodes.",
    }
    assert found["workflows"][2]["error"]["code"] == "workflow"
    assert "node type         Far" in loomis("check", "all").out


def test_a_name_that_is_nothing_is_one_error_and_no_table(loomis, workflow):
    for name in ("wrkflow.json", "nope", "x" * 5000):
        ran = loomis("check", workflow, name)
        assert (ran.code, ran.out) == (3, "") and ran.err.startswith("error: There is no file or folder")
    assert "do        Did you mean workflow.json?" in loomis("check", "wrkflow.json").err


def test_a_picture_that_is_missing_can_be_in_another_folder(loomis, here):
    graph = {"1": {"class_type": "LoadImage", "inputs": {"image": "fox.png"}}}
    graph["2"] = {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}}
    (here / "w.json").write_text(json.dumps(graph))
    assert f"Put the file into {here}/input, or name its folder with --input." in loomis("check", "w.json").out
    (here / "input").mkdir()
    (here / "input" / "fax.png").touch()
    assert "Did you mean 'fax.png'? If not, put the file into" in loomis("check", "w.json").out


def test_a_picture_that_is_named_and_carries_none(loomis, here):
    (here / "photo.jpg").write_bytes(b"\xff\xd8\xff\xd9")
    ran = loomis("check", "photo.jpg")
    assert (ran.code, "photo.jpg carries no workflow." in ran.out) == (2, True)


def test_remarks_are_in_the_json(loomis, here):
    document = {**SAVED, "nodes": [SAVED["nodes"][0] | {"widgets_values": ["a", "b", "c"]}, SAVED["nodes"][1]]}
    (here / "odd.json").write_text(json.dumps(document))
    (found,) = loomis("check", "odd.json", "--json").lines
    assert [each["code"] for each in found["workflows"][0]["diagnostics"]] == ["misaligned_values"]


@pytest.mark.reference
@pytest.mark.skipif(not PAIRS.is_dir(), reason="the reference folder (LOOMIS_REFERENCE) has no pairs")
def test_every_workflow_of_the_corpus_is_examined(capsys):
    found = [each for each in find_workflows([str(PAIRS)]).files if each.place.name == "saved.json"]
    checked = list(check_all(found, nodes.vocabulary(), Folders(models=(nodes.EMBEDDED,)), ModelMap()))
    assert [each.error for each in checked if each.error] == []
    assert len(checked) == 391
    with_files = [each for each in checked if {lack.kind for lack in each.lacks} <= {"model", "file"}]
    unknown = Counter(lack.name for each in checked for lack in each.lacks if lack.kind == "type")
    with capsys.disabled():
        print(f"\n{len(with_files)} of 391 would run with their files; unknown: {unknown.most_common(12)}")
    assert len(with_files) >= 77


def test_folders_of_programs_are_passed_over_and_told(loomis, here):
    for folder in (".venv", "mine"):
        (here / folder).mkdir()
        (here / folder / "w.json").write_text(json.dumps(WORKFLOW))
    ran = loomis("check", ".")
    assert "1 of 1 workflows" in ran.out
    assert ran.err == "Folders passed over, which are hidden or hold programs: 1 (.venv)\n"
