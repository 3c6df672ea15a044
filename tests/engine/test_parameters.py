"""Inputs set from outside, by id, title or type."""

from copy import deepcopy
from typing import Any

import pytest

from engine.errors import WorkflowError
from engine.graph import read_graph
from engine.parameters import find_node, set_parameters
from tests.engine.words import Vocabulary, n

REGISTRY = Vocabulary().registry
PROMPT: dict[str, Any] = {
    "3": n("Number", value=1) | {"_meta": {"title": "Left"}},
    "4": n("Number", value=2) | {"_meta": {"title": "v1.5 right"}},
    "12:5": n("Add", a=("3", 0), b=("4", 0), extra=1),
    "o": {"class_type": "Show"},
    "Add": n("Half", a=1) | {"_meta": {"title": "Left"}},
}


def changed(**parameters: Any) -> dict[str, Any]:
    return set_parameters(read_graph(PROMPT), parameters, REGISTRY)


@pytest.mark.parametrize(
    ("address", "id", "input"),
    [
        ("3.value", "3", "value"),
        ("12:5.a", "12:5", "a"),
        ("v1.5 right.value", "4", "value"),
        ("Show.value", "o", "value"),
        ("12:5.extra", "12:5", "extra"),
        ("Add.a", "Add", "a"),
    ],
)
def test_an_input_is_set_and_nothing_else(address: str, id: str, input: str):
    before = deepcopy(PROMPT)
    found = changed(**{address: 7})
    assert found[id]["inputs"][input] == 7 and before == PROMPT
    found[id] = PROMPT[id]
    assert found == PROMPT


def test_several_inputs_of_one_node():
    assert changed(**{"12:5.a": 1, "12:5.b": 2})["12:5"]["inputs"] == {"a": 1, "b": 2, "extra": 1}


@pytest.mark.parametrize(
    ("address", "said", "expected"),
    [
        ("value", "names no input", "NODE.INPUT"),
        (".value", "names no input", "NODE.INPUT"),
        ("3.", "names no input", "NODE.INPUT"),
        ("Numbr.value", "No node is called 'Numbr'", "Number"),
        ("Left.value", "2 nodes are called 'Left'", ["3", "Add"]),
        ("Number.value", "2 nodes are called 'Number'", ["3", "4"]),
        ("3.vlue", r"Node 3 \(Number\) has no input 'vlue'", "value"),
    ],
)
def test_a_name_that_fits_nothing_or_too_much(address: str, said: str, expected: Any):
    with pytest.raises(WorkflowError, match=said) as caught:
        changed(**{address: 1})
    assert caught.value.expected == expected and caught.value.hint


def test_an_id_comes_before_a_title_and_a_title_before_a_type():
    graph = read_graph(PROMPT | {"9": n("Half", a=1) | {"_meta": {"title": "Show"}}})
    assert find_node(graph, "Add") == "Add" and find_node(graph, "Show") == "9"


def test_deep_values_are_no_trouble():
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    prompt = PROMPT | {"d": n("Number", value=1, other=deep)}
    found = set_parameters(read_graph(prompt), {"d.value": 3}, REGISTRY)
    assert found["d"]["inputs"]["value"] == 3 and found["d"]["inputs"]["other"] is deep
