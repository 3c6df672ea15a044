"""Nodes that answer with a graph: in lists, with outputs inside, when values are gone, and when they are wrong."""

from pathlib import Path
from typing import Any

import pytest

from engine.errors import InputError, LoomisError, ValidationError
from engine.events import Saved
from engine.node import Artifact, Block, Expanded, LinkTo, Shown
from tests.engine.words import Vocabulary, engine, n, ran, recorded, remembered


def expanding(graph: dict[str, Any], *result: Any, into: Vocabulary | None = None) -> Vocabulary:
    """Return a vocabulary where Grow expands into this graph."""
    words = into or Vocabulary()

    @words.registry.node("Grow")
    def grow(a: int) -> Expanded[int]:
        words.calls.append(("Grow", a))
        return Expanded(graph, result)

    return words


GROWN = {"1": n("Number", value=6), "g": n("Grow", a=("1", 0)), "o": n("Show", value=("g", 0))}


def test_each_call_of_a_list_expands():
    words = Vocabulary()
    graph = {
        "1": n("Range", count=3),
        "2": n("Double", a=("1", 0)),
        "3": n("Sum", values=("2", 0)),
        "4": n("Show", value=("3", 0)),
    }
    with engine(words) as e:
        _, events = recorded(e, graph)
        assert words.called("Double") == [0, 1, 2] and words.called("Sum") == [(0, 2, 4)]
        assert {id for id in ran(events) if id.startswith("2.")} == {"2.1", "2.1.2.1", "2.2.2.1"}
        assert ran(recorded(e, graph)[1]) == []
        recorded(e, graph, parameters={"1.count": 4})
        assert words.called("Double") == [0, 1, 2, 3] and words.called("Add") == [(0, 0), (1, 1), (2, 2), (3, 3)]


def test_inner_nodes_are_remembered_by_their_own_keys():
    words = expanding({"x": n("Half", a=8), "y": n("Half", a=("x", 0))}, LinkTo("y"))
    with engine(words) as e:
        e.run(GROWN)
        _, events = recorded(e, GROWN, parameters={"1.value": 7})
        assert ran(events) == ["1", "g"] and {"x", "y", "o"} <= remembered(events)
        assert words.called("Half") == [8, 4]


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


@pytest.mark.parametrize("memory_bytes", [0, 60])
def test_values_that_are_gone_are_made_again_by_the_inner_nodes(memory_bytes: int):
    words = Vocabulary()
    graph = {
        "1": n("Number", value=6),
        "2": n("Double", a=("1", 0)),
        "3": n("Add", a=("2", 0), b=1),
        "4": n("Show", value=("3", 0)),
    }
    with engine(words, memory_bytes=memory_bytes) as e:
        e.run(graph)
        for b in (2, 3, 4):
            result, _ = recorded(e, graph, parameters={"3.b": b}, values=["2"])
            assert result.values["2"] == ([12],) and result.outputs["4"].notes == {"text": [str(12 + b)]}


def test_output_nodes_inside_are_seen_in_every_run(tmp_path: Path):
    words = expanding({"t": n("Text", value="hello"), "s": n("Save", text=("t", 0), prefix="inner")}, 1)

    @words.registry.node("Outer")
    def outer(a: int) -> Expanded[int]:
        return Expanded({"deep": n("Grow", a=a)}, (LinkTo("deep"),))

    graph = {"1": n("Number", value=6), "g": n("Outer", a=("1", 0)), "o": n("Show", value=("g", 0))}
    path = tmp_path / "output" / "inner_00001_.txt"
    with engine(words, tmp_path) as e:
        first = e.run(graph)
        assert first.outputs["s"].files[0]["path"] == str(path) and path.read_text() == "hello"
        path.unlink()
    with engine(words, tmp_path) as e:
        result, events = recorded(e, graph)
        assert result.outputs == first.outputs and path.read_text() == "hello"
        assert [event.node for event in events if isinstance(event, Saved)] == ["s", "o"]
        assert "s" in remembered(events) and words.called("Save") == ["hello"]


def test_an_output_node_may_expand():
    words = Vocabulary()

    @words.registry.node("Report", output_node=True)
    def report(a: int) -> Expanded[None]:
        return Expanded({"s": n("Show", value=a)}, ())

    with engine(words) as e:
        assert e.run({"r": n("Report", a=5)}).outputs["s"].notes == {"text": ["5"]}


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


def test_a_loop_is_an_expansion_that_expands_again():
    words = Vocabulary()

    @words.registry.node("Countdown")
    def countdown(left: int, total: int) -> int | Expanded[int]:
        if not left:
            return total
        inner = {
            "add": n("Add", a=total, b=left),
            "next": n("Countdown", left=left - 1, total=("add", 0)),
        }
        return Expanded(inner, (LinkTo("next"),))

    graph = {"c": n("Countdown", left=60, total=0), "o": n("Show", value=("c", 0))}
    with engine(words) as e:
        assert e.run(graph).outputs["o"].notes == {"text": [str(sum(range(61)))]}
        assert ran(recorded(e, graph)[1]) == []


def test_a_file_made_inside_is_named_once(tmp_path: Path):
    words = Vocabulary()

    @words.registry.node("Keep", output_node=True)
    def keep(a: int) -> Shown[None]:
        return Shown(None, files=(Artifact(b"x", "keep", ".bin"),))

    expanding({"k": n("Keep", a=1)}, 1, into=words)
    with engine(words, tmp_path) as e:
        e.run(GROWN)
        e.run(GROWN, {"1.value": 7})
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["keep_00001_.bin"]
