"""What differs between two workflows."""

from engine.compare import Circumstance, Difference, compare, compare_made
from engine.graph import read_graph
from tests.engine.words import n

FIRST = read_graph({"1": n("Number", value=1), "2": n("Add", a=("1", 0), b=2), "3": n("Half", a=1), "4": n("Text")})
SECOND = read_graph({"1": n("Number", value=1), "2": n("Add", a=("3", 0)), "3": n("Show", a=1), "5": n("Save")})


def test_a_workflow_is_like_itself():
    assert compare(FIRST, FIRST) == []


def test_inputs_types_and_nodes_that_differ():
    assert compare(FIRST, SECOND) == [
        Difference("2", "Add", "a", ["1", 0], ["3", 0]),
        Difference("2", "Add", "b", 2, None),
        Difference("3", "Show", None, "Half", "Show"),
        Difference("4", "Text", None, "Text", None),
        Difference("5", "Save", None, None, "Save"),
    ]


def test_what_two_files_were_made_with():
    file = {"kind": "loras", "name": "a"}
    first = {"files": [file | {"blake3": "1"}], "versions": {"torch": "2.1", "loomis": "1"}, "node": "3"}
    second = {"files": [file | {"blake3": "2"}], "versions": {"torch": "2.1"}, "settings": {"device": "cpu"}}
    assert compare_made(first, first) == []
    assert compare_made(first, second) == [
        Circumstance("file", "loras/a", "1", "2"),
        Circumstance("version", "loomis", "1", None),
        Circumstance("setting", "device", None, "cpu"),
    ]
