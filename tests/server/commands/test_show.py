import json

from tests.server.commands.test_run import PICTURE
from tests.server.conftest import SAVED


def test_a_saved_workflow(loomis, saved):
    ran = loomis("show", saved)
    assert ran.code == 0
    head, nodes, parameters = ran.out.split("\n\n")
    assert head == "json: 2 nodes, saved-0.4 format"
    assert [line.split() for line in nodes.splitlines()][1:] == [
        ["1", "PrimitiveString", "Text"],
        ["2", "PreviewAny", "Preview", "Any", "source", "from", "1"],
    ]
    assert parameters.splitlines()[1].startswith("Text.value")


def test_a_picture_shows_what_made_it(loomis, here):
    (here / "picture.json").write_text(json.dumps(PICTURE))
    path = loomis("run", "picture.json", "-q", "--set", "1.color=7").out.strip()
    assert loomis("show", path).out.startswith("png: 2 nodes, api format")
    (found,) = loomis("show", path, "--json").lines
    assert (found["container"], found["format"], found["workflow"]) == ("png", "api", None)
    assert found["prompt"]["1"]["inputs"] == PICTURE["1"]["inputs"] | {"color": 7}


def test_json_has_the_document_as_it_was_saved(loomis, saved):
    assert loomis("show", saved, "--json").lines[0]["workflow"] == SAVED


def test_a_picture_shows_how_it_was_made(loomis, here):
    (here / "picture.json").write_text(
        json.dumps({"prompt": PICTURE, "loomis": {"parameters": {"hue": "1.color", "side": "1.width"}}})
    )
    path = loomis("run", "picture.json", "-q", "--device", "cpu", "--set", "hue=7", "--set", "1.height=16").out.strip()
    made = loomis("show", path).out.split("\n\n")[-1]
    rows = [line.split() for line in made.splitlines()]
    assert rows[0] == ["made", "with", "name", "value"]
    assert rows[1][:6] == ["result", "node", "2,", "file", "1", "blake3"]
    assert rows[2:5] == [["parameter", "hue", "7"], ["parameter", "side", "16"], ["parameter", "1.height", "16"]]
    assert [row[1] for row in rows if row[0] == "version"] == ["loomis", "python", "torch"]
    assert ["setting", "device", "cpu"] in rows
    (found,) = loomis("show", path, "--json").lines
    assert found["loomis"]["parameters"] == {"hue": "1.color", "side": "1.width"}
    again = loomis("run", path, "-q", "--set", "hue=9").out.strip()
    assert loomis("show", again, "--json").lines[0]["prompt"]["1"]["inputs"]["color"] == 9


def test_a_picture_shows_the_workflow_as_it_was_given(loomis, here, saved):
    (here / "picture.json").write_text(json.dumps(PICTURE))
    plain, changed = (
        loomis("run", "picture.json", "-q", *values).out.strip() for values in ((), ("--set", "1.color=7"))
    )
    assert "source" not in loomis("show", plain, "--json").lines[0]["loomis"], "it is the graph that ran"
    assert json.loads(loomis("show", plain, "--workflow").out) == PICTURE
    (found,) = loomis("show", changed, "--json").lines
    assert found["loomis"]["source"] == PICTURE and found["prompt"] != PICTURE
    assert json.loads(loomis("show", changed, "--workflow").out) == PICTURE
    told = loomis("show", changed).out
    assert told.startswith("png: 2 nodes, api format with the workflow as it was given\n")
    assert told.splitlines()[-1].split() == ["given", "1.color", "255", "became", "7"]
    assert json.loads(loomis("show", saved, "--workflow").out) == SAVED
