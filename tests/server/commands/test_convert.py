import json

import pytest

from tests.server.conftest import SAVED

CONVERTED = {
    "1": {
        "class_type": "PrimitiveString",
        "inputs": {"value": "a fox"},
        "_meta": {"title": "Text"},
    },
    "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}, "_meta": {"title": "Preview Any"}},
}


def test_one_file_goes_to_standard_output(loomis, saved):
    ran = loomis("convert", saved)
    assert (ran.code, json.loads(ran.out), ran.err) == (0, CONVERTED, "")


def test_standard_input(loomis):
    ran = loomis("convert", "-", input=json.dumps(SAVED))
    assert (ran.code, json.loads(ran.out)) == (0, CONVERTED)


def test_several_files_go_below_a_folder(loomis, saved, workflow, here):
    (here / "more/deep").mkdir(parents=True)
    (here / "more/deep/saved.json").write_text(json.dumps(SAVED))
    ran = loomis("convert", saved, workflow, "more", "--out", "api")
    assert ran.code == 0
    assert ran.out.splitlines() == ["api/saved.json", "api/workflow.json", "api/deep/saved.json"]
    assert json.loads((here / "api/saved.json").read_text()) == CONVERTED
    assert loomis("convert", "api/saved.json").out == loomis("convert", saved).out


def test_several_files_need_a_folder_and_names_of_their_own(loomis, saved, workflow, here):
    assert "--out" in loomis("convert", saved, workflow).err
    ran = loomis("convert", saved, f"{here}/{saved}", "--out", "api")
    assert ran.code == 2
    assert "Several files would become api/saved.json" in ran.err
    assert not (here / "api").exists()


def test_what_is_odd_is_told_and_what_is_lost_is_the_exit_code(loomis, here):
    node = {"id": 3, "type": "Far", "widgets_values": [1], "properties": {"cnr_id": "far-pack"}}
    (here / "odd.json").write_text(json.dumps(SAVED | {"nodes": [*SAVED["nodes"], node]}))
    ran = loomis("convert", "odd.json")
    assert ran.code == 2
    assert json.loads(ran.out)["3"]["inputs"] == {}
    assert ran.err.splitlines() == [
        "error: Node 3 (Far): The values of the unknown type Far can't be given names and are left out.",
        (
            "error: Node 3 (Far): The node type Far is not known here. It is in the pack far-pack. "
            "Name the folder of the pack with --custom-nodes."
        ),
    ]


def test_the_catalogue_of_another_server(loomis, here):
    node = {"id": 3, "type": "Far", "widgets_values": [1]}
    (here / "far.json").write_text(json.dumps({"nodes": [node], "links": []}))
    entry = {"input": {"required": {"count": ["INT", {}]}}, "output": []}
    (here / "object_info.json").write_text(json.dumps({"Far": entry}))
    ran = loomis("convert", "far.json", "--object-info", "object_info.json")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)["3"]["inputs"] == {"count": 1}


def test_a_bad_file_does_not_stop_the_others(loomis, saved, here):
    (here / "bad.json").write_text("[]")
    ran = loomis("convert", "bad.json", "missing.json", saved, "--out", "api")
    assert (ran.code, ran.out) == (3, "api/saved.json\n")
    assert [line for line in ran.err.splitlines() if line.startswith("error")] == [
        "error: bad.json holds no workflow.",
        "error: missing.json can't be opened: No such file or directory.",
    ]


@pytest.mark.parametrize("text", ["[]", "{", None])
def test_a_catalogue_that_is_none(loomis, saved, here, text):
    if text:
        (here / "info.json").write_text(text)
    ran = loomis("convert", saved, "--object-info", "info.json")
    assert ran.code == (2 if text else 3)
    assert ran.err.startswith("error: ")


def test_an_output_folder_that_can_not_be_written(loomis, saved, here):
    (here / "file").touch()
    ran = loomis("convert", saved, "--out", "file")
    assert (ran.code, "can't be written" in ran.err) == (3, True)
