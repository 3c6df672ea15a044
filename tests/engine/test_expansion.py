"""Nodes that answer with a graph: in lists, with outputs inside, when values are gone, and when they are wrong."""

from typing import Any

import pytest

from engine.errors import InputError, LoomisError, ValidationError
from engine.node import Block, Expanded, LinkTo
from tests.engine.words import GROWN, Vocabulary, engine, expanding, n, ran, recorded


def test_an_id_that_is_taken_is_renamed_with_the_links_to_it():
    words = expanding({"1": n("Number", value=30), "o": n("Half", a=("1", 0))}, LinkTo("o"))
    with engine(words) as e:
        result, events = recorded(e, GROWN)
        assert result.outputs["o"].notes == {"text": ["15"]}
        assert ran(events) == ["1", "g", "g.1.1", "g.1.o", "o"]


def test_inner_nodes_may_link_to_the_graph_around_them():
    words = expanding({"x": n("Add", a=("1", 0), b=("1", 0))}, LinkTo("x"))
    with engine(words) as e:
        assert e.run(GROWN).outputs["o"].notes == {"text": ["12"]}


def test_the_result_may_be_a_value_or_a_node_outside():
    with engine(expanding({"x": n("Number", value=1)}, 99)) as e:
        assert e.run(GROWN, values=["g"]).values["g"] == ([99],)
    with engine(expanding({"x": n("Number", value=1)}, LinkTo("1"))) as e:
        assert e.run(GROWN, values=["g"]).values["g"] == ([6],)
    with engine(expanding({"x": n("Number", value=1)}, Block("shut"))) as e:
        result, events = recorded(e, GROWN)
        assert "o" not in ran(events) and result.outputs["o"].notes == {}


def test_a_list_as_a_value_lies_on_the_wire_item_by_item():
    words = Vocabulary()

    @words.registry.node("Many")
    def many() -> Expanded[list[int]]:
        return Expanded({"x": n("Number", value=1)}, ([4, 5, 6],))

    graph = {"m": n("Many"), "s": n("Sum", values=("m", 0)), "o": n("Show", value=("s", 0))}
    with engine(words) as e:
        assert e.run(graph).outputs["o"].notes == {"text": ["15"]}


def test_a_value_without_a_byte_form_may_be_a_result():
    words = expanding({"h": n("Handle", a=1)}, LinkTo("h"))
    graph = {"g": n("Grow", a=1), "u": n("Use", handle=("g", 0), b=3), "o": n("Show", value=("u", 0))}
    with engine(words) as e:
        assert e.run(graph).outputs["o"].notes == {"text": ["3"]}


@pytest.mark.parametrize(
    ("graph", "result", "error", "said"),
    [
        ({"x": n("Number", value=1)}, (), InputError, "does not fit the node's outputs"),
        ({"x": n("Number", value=1)}, (1, 2), InputError, "does not fit the node's outputs"),
        ({"x": n("Number", value=1)}, (LinkTo("y"),), InputError, "does not fit the node's outputs"),
        ({"x": n("Number", value=1)}, (LinkTo("x", 1),), InputError, "does not fit the node's outputs"),
        ({"x": n("Number", value=1)}, (LinkTo("x", -1),), InputError, "does not fit the node's outputs"),
        ({"x": n("Numbr", value=1)}, (LinkTo("x"),), ValidationError, "no node type 'Numbr'"),
        ({"x": n("Number")}, (LinkTo("x"),), ValidationError, "it is missing"),
        ({"x": n("Half", a=("gone", 0))}, (LinkTo("x"),), ValidationError, "not in the workflow"),
        ({"x": n("Half", a=("y", 0)), "y": n("Half", a=("x", 0))}, (LinkTo("x"),), ValidationError, "on each other"),
        ({"x": 5}, (LinkTo("x"),), ValidationError, "the node"),
        ({}, (1,), LoomisError, "is empty"),
        ([], (1,), LoomisError, "JSON object"),
    ],
)
def test_a_wrong_expansion_is_one_clear_error(graph: Any, result: tuple[Any, ...], error: Any, said: str):
    words = expanding(graph, *result)
    with engine(words) as e:
        with pytest.raises(error, match=said) as caught:
            e.run(GROWN)
        assert (caught.value.node, caught.value.class_type) == ("g", "Grow")
        assert e.run({"1": n("Number", value=1), "o": n("Show", value=("1", 0))}).outputs["o"].notes == {"text": ["1"]}


def test_a_node_that_was_left_out_as_not_valid_can_not_be_linked_to():
    words = expanding({"x": n("Half", a=("bad", 0))}, LinkTo("x"))
    graph = {**GROWN, "bad": n("Number", value="x"), "p": n("Show", value=("bad", 0))}
    with engine(words) as e, pytest.raises(ValidationError, match="'bad', which is not in the workflow"):
        e.run(graph, partial=True)
