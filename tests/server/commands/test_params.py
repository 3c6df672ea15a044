import json

from tests.server.conftest import WORKFLOW


def test_what_a_workflow_offers(loomis, workflow):
    ran = loomis("params", workflow)
    assert ran.code == 0
    assert [line.split() for line in ran.out.splitlines()] == [
        ["name", "node", "type", "input", "value", "allowed"],
        ["Text.value", "1", "PrimitiveString", "STRING", '"a', 'fox"'],
    ]


def test_bounds_choices_and_long_values(loomis, here):
    graph = {
        "3": {"class_type": "EmptyImage", "inputs": {"width": 64}},
        "4": {"class_type": "Far", "inputs": {"text": "x" * 200}},
    }
    (here / "w.json").write_text(json.dumps(graph))
    out = loomis("params", "w.json").out
    assert ["EmptyImage.width", "3", "EmptyImage", "INT", "64", "1", "to", "16384"] in [
        line.split() for line in out.splitlines()
    ]
    assert "xxx ... xxx" in out
    (found,) = loomis("params", "w.json", "--json").lines
    by_name = {each["name"]: each for each in found["inputs"]}
    assert by_name["EmptyImage.height"]["value"] == 512
    assert by_name["EmptyImage.height"]["declared"]["maximum"] == 16384
    assert by_name["Far.text"]["value"] == "x" * 200
    assert "declared" not in by_name["Far.text"]


def test_each_name_is_one_that_set_takes(loomis, saved):
    (found,) = loomis("params", saved, "--json").lines
    for each in found["inputs"]:
        assert loomis("run", saved, "-q", "--set", f"{each['name']}=a hare").out == "a hare\n"


def test_remarks_go_to_standard_error(loomis):
    document = {"nodes": [{"id": 1, "type": "PrimitiveString", "widgets_values": ["a", "b"]}], "links": []}
    ran = loomis("params", "-", input=json.dumps(document))
    assert (ran.code, ran.err.startswith("warning: Node 1 (PrimitiveString): ")) == (0, True)


def test_what_the_file_declares_comes_first_with_a_schema(loomis, here):
    declared = {"words": {"input": "Text.value", "description": "What it says.", "default": "a hare"}}
    (here / "w.json").write_text(json.dumps({"prompt": WORKFLOW, "loomis": {"parameters": declared}}))
    first, second = loomis("params", "w.json").out.split("\n\n")
    assert [line.split()[0] for line in (first + "\n" + second).splitlines()] == ["name", "words", "name", "Text.value"]
    (found,) = loomis("params", "w.json", "--json").lines
    assert [(each["name"], each["node"], each["value"]) for each in found["parameters"]] == [("words", "1", "a hare")]
    wanted = {"type": "string", "description": "What it says.", "default": "a hare"}
    assert found["schema"]["properties"] == {"words": wanted}
    assert loomis("run", "w.json", "-q").out == "a hare\n"
    assert loomis("run", "w.json", "-q", "--set", "words=a fox").out == "a fox\n"
    assert loomis("run", "w.json", "-q", "--set", "value=a vole").out == "a vole\n"
    assert "'wrds' names no input" in loomis("run", "w.json", "--set", "wrds=a").err
