"""What differs between two workflows."""

from engine.compare import Difference, compare
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
