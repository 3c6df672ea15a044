"""Reading the API format: what is a workflow, and what is said of everything else."""

from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ValidationError, WorkflowError
from engine.graph import Node, is_link, read_graph

GOOD = {
    "1": {"class_type": "A", "inputs": {"x": 1, "y": ["2", 0]}, "_meta": {"title": "An A"}},
    "2": {"class_type": "B"},
}


def test_a_workflow_is_read():
    graph = read_graph(GOOD)
    assert graph.nodes == {"1": Node("1", "A", {"x": 1, "y": ["2", 0]}, "An A"), "2": Node("2", "B", {}, None)}
    assert graph.prompt is GOOD


def test_what_is_not_known_is_ignored():
    odd = {"1": {"class_type": "A", "is_changed": [1], "_meta": {"title": 5, "colour": "red"}}}
    assert read_graph(odd).nodes["1"] == Node("1", "A", {}, None)
    assert read_graph(MappingProxyType(GOOD)).nodes.keys() == {"1", "2"}


@pytest.mark.parametrize("prompt", [[], [GOOD], "{}", 5, None, True])
def test_a_workflow_is_an_object(prompt: Any):
    with pytest.raises(WorkflowError, match="JSON object that maps node ids") as caught:
        read_graph(prompt)
    assert caught.value.code == "workflow" and caught.value.got == type(prompt).__name__


def test_an_empty_workflow_is_refused():
    with pytest.raises(WorkflowError, match="is empty"):
        read_graph({})


@pytest.mark.parametrize(
    ("node", "code", "input", "said"),
    [
        ({}, "missing_node_type", None, "Node 7: class_type: Field required."),
        ({"class_type": None}, "missing_node_type", None, "Node 7: class_type: Input should be a valid string."),
        ({"class_type": 5}, "missing_node_type", None, "Node 7: class_type"),
        ({"class_type": "A", "inputs": []}, "invalid_prompt", None, "Node 7: inputs: Input should be"),
        ({"class_type": "A", "inputs": None}, "invalid_prompt", None, "Node 7: inputs"),
        ({"class_type": "A", "inputs": {3: 4}}, "invalid_prompt", "3", "Node 7: inputs.3"),
        ({"class_type": "A", "_meta": "x"}, "invalid_prompt", None, "Node 7: _meta"),
        ([], "invalid_prompt", None, "Node 7: the node: Input should be"),
        ("A", "invalid_prompt", None, "Node 7: the node"),
        (None, "invalid_prompt", None, "Node 7: the node"),
    ],
)
def test_a_node_that_is_none_is_a_fault(node: Any, code: str, input: str | None, said: str):
    with pytest.raises(ValidationError) as caught:
        read_graph({"7": node})
    (fault,) = caught.value.faults
    assert (fault.code, fault.node, fault.input) == (code, "7", input) and fault.message.startswith(said)
    assert fault.hint and fault.expected


def test_all_bad_nodes_are_named_at_once():
    with pytest.raises(ValidationError, match=r"and 2 more") as caught:
        read_graph({"1": {}, "2": 5, "3": {"class_type": "A"}, "4": {"class_type": "A", "inputs": 1}})
    assert [fault.node for fault in caught.value.faults] == ["1", "2", "4"]


def test_ids_are_texts():
    with pytest.raises(ValidationError) as caught:
        read_graph({1: {"class_type": "A"}})
    assert caught.value.faults[0].node == "1"


@pytest.mark.parametrize(
    ("value", "link"),
    [
        (["1", 0], True),
        (("1", 2), True),
        (["1", 1.0], True),
        (["1", 10**400], True),
        (["1", -1], True),
        (["1", True], False),
        (["1", float("nan")], False),
        (["1", float("inf")], False),
        (["1", "0"], False),
        ([1, 0], False),
        (["1"], False),
        (["1", 0, 0], False),
        ("10", False),
        ({"1": 0}, False),
        (None, False),
    ],
)
def test_the_shape_of_a_link(value: Any, link: bool):
    assert is_link(value) is link


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=12,
)
NODES = st.dictionaries(st.sampled_from(["class_type", "inputs", "_meta", "x"]), JSON | st.just("A"), max_size=4)


@given(JSON | st.dictionaries(st.text(max_size=3), JSON | NODES, max_size=4))
def test_anything_is_a_workflow_or_a_workflow_error(prompt: Any):
    try:
        graph = read_graph(prompt)
    except WorkflowError:
        return
    assert graph.nodes.keys() == prompt.keys()
    assert all(node.class_type == prompt[id]["class_type"] for id, node in graph.nodes.items())
