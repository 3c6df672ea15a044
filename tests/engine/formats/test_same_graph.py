"""The comparison that the pairs rest on sees differences."""

import pytest

from tests.engine.formats.same_graph import differences


def graph(first="5:1", second="5:2", text="a", slot=0):
    return {
        first: {"class_type": "A", "inputs": {"n": 8}},
        second: {"class_type": "A", "inputs": {"n": 8}},
        "7": {"class_type": "B", "inputs": {"x": [first, slot], "y": [second, 0], "text": text}},
    }


def test_ids_inside_subgraphs_may_differ():
    assert differences(graph(), graph("5:71", "5:72")) == []
    assert differences(graph(), graph("5:2", "5:1")) == []


def test_eight_is_eight_point_zero():
    other = graph()
    other["5:1"]["inputs"]["n"] = 8.0
    assert differences(graph(), other) == []


@pytest.mark.parametrize("other", [graph(text="b"), graph(slot=1), graph("5", "6"), graph(second="5:1"), {}])
def test_everything_else_counts(other):
    assert differences(graph(), other)
    assert differences(other, graph())


def test_true_is_not_one():
    assert differences(
        {"1": {"class_type": "A", "inputs": {"n": 1}}}, {"1": {"class_type": "A", "inputs": {"n": True}}}
    )
