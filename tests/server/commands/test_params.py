import json


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
    by_name = {each["name"]: each for each in found}
    assert by_name["EmptyImage.height"]["value"] == 512
    assert by_name["EmptyImage.height"]["declared"]["maximum"] == 16384
    assert by_name["Far.text"]["value"] == "x" * 200
    assert "declared" not in by_name["Far.text"]


def test_each_name_is_one_that_set_takes(loomis, saved):
    (found,) = loomis("params", saved, "--json").lines
    for each in found:
        assert loomis("run", saved, "-q", "--set", f"{each['name']}=a hare").out == "a hare\n"


def test_remarks_go_to_standard_error(loomis):
    document = {"nodes": [{"id": 1, "type": "PrimitiveString", "widgets_values": ["a", "b"]}], "links": []}
    ran = loomis("params", "-", input=json.dumps(document))
    assert (ran.code, ran.err.startswith("warning: Node 1 (PrimitiveString): ")) == (0, True)
