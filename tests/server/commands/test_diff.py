import json

from tests.server.commands.test_run import PICTURE
from tests.server.conftest import WORKFLOW


def test_nothing_differs(loomis, workflow, saved):
    ran = loomis("diff", workflow, saved)
    assert (ran.code, ran.out) == (0, "Nothing differs.\n")


def test_what_differs(loomis, workflow, here):
    other = {"1": WORKFLOW["1"] | {"inputs": {"value": "a hare"}}, "3": WORKFLOW["2"]}
    (here / "other.json").write_text(json.dumps(other))
    ran = loomis("diff", workflow, "other.json")
    assert ran.code == 1
    assert [line.split() for line in ran.out.splitlines()] == [
        ["node", "type", "input", "workflow.json", "other.json"],
        ["1", "PrimitiveString", "value", '"a', 'fox"', '"a', 'hare"'],
        ["2", "PreviewAny", "(the", "node)", "PreviewAny", "-"],
        ["3", "PreviewAny", "(the", "node)", "-", "PreviewAny"],
    ]
    (found,) = loomis("diff", workflow, "other.json", "--json").lines
    assert found["nodes"][0] == {
        "node": "1", "class_type": "PrimitiveString", "input": "value", "first": "a fox", "second": "a hare",
    }  # fmt: skip


def test_pictures_tell_what_they_were_made_with(loomis, here):
    (here / "picture.json").write_text(json.dumps(PICTURE))
    run = ("run", "picture.json", "-q")
    one, two = (loomis(*run, "--out", device, "--device", device).out.strip() for device in ("cpu", "mps"))
    ran = loomis("diff", one, two)
    assert (ran.code, [line.split() for line in ran.out.splitlines()]) == (
        1,
        [["what", "name", one, two], ["setting", "device", "cpu", "mps"]],
    )
    (found,) = loomis("diff", one, two, "--json").lines
    assert found == {"nodes": [], "made": [{"kind": "setting", "name": "device", "first": "cpu", "second": "mps"}]}
    assert loomis("diff", one, one).out == "Nothing differs.\n"
