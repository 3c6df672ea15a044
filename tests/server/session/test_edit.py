"""Edits of a graph: each does what it says, a bad one changes nothing."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from engine import Engine
from engine.graph import is_link
from server.protocol.edits import Edit
from server.session.edit import edited
from server.session.errors import BadEdit
from tests.engine.words import Vocabulary, engine, n

EDITS: TypeAdapter[list[Edit]] = TypeAdapter(list[Edit])
GRAPH = {
    "1": n("Number", value=8),
    "2": {**n("Divide", a=("1", 0), b=3), "_meta": {"title": "Shares"}},
    "3": n("Add", a=("2", 0), b=("2", 1)),
    "x": n("Unknown", any=1),
}


@pytest.fixture(scope="module")
def runner() -> Iterator[Engine]:
    with engine(Vocabulary()) as made:
        yield made


def edit(runner: Engine, *edits: dict[str, Any], graph: Any = GRAPH) -> dict[str, Any]:
    return dict(edited(graph, EDITS.validate_python(list(edits)), runner).prompt)


def test_set_and_unset(runner: Engine) -> None:
    assert edit(runner, {"op": "set", "node": "2", "input": "b", "value": 5})["2"]["inputs"] == {"a": ["1", 0], "b": 5}
    assert edit(runner, {"op": "set", "node": "3", "input": "a", "value": 1})["3"]["inputs"]["a"] == 1
    assert edit(runner, {"op": "unset", "node": "2", "input": "b"})["2"]["inputs"] == {"a": ["1", 0]}
    assert edit(runner, {"op": "set", "node": "x", "input": "other", "value": 1})["x"]["inputs"] == {
        "any": 1,
        "other": 1,
    }


def test_connect_by_number_and_by_name(runner: Engine) -> None:
    link = {"op": "connect", "node": "3", "input": "a", "source": "2"}

    assert edit(runner, {**link, "output": 1})["3"]["inputs"]["a"] == ["2", 1]
    assert edit(runner, {**link, "output": "remainder"})["3"]["inputs"]["a"] == ["2", 1]
    assert edit(runner, {**link, "source": "x", "output": 4})["3"]["inputs"]["a"] == ["x", 4]


def test_disconnect(runner: Engine) -> None:
    assert edit(runner, {"op": "disconnect", "node": "3", "input": "a"})["3"]["inputs"] == {"b": ["2", 1]}


def test_add_takes_an_id_or_finds_one(runner: Engine) -> None:
    batch = EDITS.validate_python([
        {"op": "add", "class_type": "Number", "inputs": {"value": 1}},
        {"op": "add", "class_type": "Number", "node": "mine", "title": "Mine"},
        {"op": "add", "class_type": "Number"},
    ])  # fmt: skip
    done = edited(GRAPH, batch, runner)

    assert done.added == ["4", "5"]
    assert done.prompt["mine"] == {"class_type": "Number", "inputs": {}, "_meta": {"title": "Mine"}}
    assert list(done.prompt) == ["1", "2", "3", "x", "4", "mine", "5"]


def test_a_new_id_is_free(runner: Engine) -> None:
    full = "9" * 15
    graph = {full: n("Number", value=1), "1" + "0" * 15: n("Number", value=1), "9" * 6000: n("Number", value=1)}

    assert "1" + "0" * 14 + "1" in edit(runner, {"op": "add", "class_type": "Number"}, graph=graph)


def test_remove_takes_its_links_along(runner: Engine) -> None:
    left = edit(runner, {"op": "remove", "node": "2"})

    assert list(left) == ["1", "3", "x"]
    assert left["3"]["inputs"] == {}


def test_replace_keeps_links_title_and_inputs_that_fit(runner: Engine) -> None:
    done = edit(runner, {"op": "replace", "node": "2", "class_type": "Half"})

    assert done["2"] == {"class_type": "Half", "inputs": {"a": ["1", 0]}, "_meta": {"title": "Shares"}}
    assert done["3"] == GRAPH["3"]
    assert list(done) == list(GRAPH)
    given = edit(runner, {"op": "replace", "node": "2", "class_type": "Number", "inputs": {"value": 2}, "title": "Two"})
    assert given["2"] == {"class_type": "Number", "inputs": {"value": 2}, "_meta": {"title": "Two"}}


@pytest.mark.parametrize(("wrong", "expected"), [
    ({"op": "set", "node": "9", "input": "a", "value": 1}, ["1", "2", "3", "x"]),
    ({"op": "set", "node": "2", "input": "aa", "value": 1}, "a"),
    ({"op": "set", "node": "2", "input": "a", "value": ["1", 0]}, "a value"),
    ({"op": "unset", "node": "2", "input": "a"}, "a value"),
    ({"op": "disconnect", "node": "2", "input": "b"}, "a link"),
    ({"op": "disconnect", "node": "2", "input": "c"}, "a link"),
    ({"op": "connect", "node": "3", "input": "a", "source": "9"}, ["1", "2", "3", "x"]),
    ({"op": "connect", "node": "3", "input": "a", "source": "2", "output": 2}, "0 (quotient), 1 (remainder)"),
    ({"op": "connect", "node": "3", "input": "a", "source": "x", "output": "name"}, "the number of an output"),
    ({"op": "connect", "node": "3", "input": "c", "source": "2"}, ["a", "b"]),
    ({"op": "add", "node": "1", "class_type": "Number"}, "an id that is free"),
    ({"op": "remove", "node": "9"}, ["1", "2", "3", "x"]),
    ({"op": "replace", "node": "9", "class_type": "Number"}, ["1", "2", "3", "x"]),
])  # fmt: skip
def test_a_bad_edit_says_what_is_possible(runner: Engine, wrong: dict[str, Any], expected: Any) -> None:
    with pytest.raises(BadEdit) as caught:
        edit(runner, wrong)

    assert caught.value.expected == expected
    assert caught.value.hint


def test_a_node_has_a_title_and_a_place(runner: Engine) -> None:
    place = {"op": "describe", "node": "1", "pos": [4, 5.5]}

    assert edit(runner, place)["1"] == {**GRAPH["1"], "_meta": {"pos": [4, 5.5]}}
    assert edit(runner, place, {**place, "pos": None, "title": "Nine"})["1"]["_meta"] == {
        "pos": [4, 5.5],
        "title": "Nine",
    }
    assert edit(
        runner, {"op": "describe", "node": "1", "title": "A"}, {"op": "describe", "node": "1", "title": ""}
    ) == {
        **GRAPH,
        "1": n("Number", **GRAPH["1"]["inputs"]),
    }
    added = edit(runner, {"op": "add", "class_type": "Number", "title": "N", "pos": [1, 2]})["4"]
    assert added["_meta"] == {"title": "N", "pos": [1, 2]}
    assert edit(runner, place, {"op": "replace", "node": "1", "class_type": "Add"})["1"]["_meta"]["pos"] == [4, 5.5]


def test_the_graph_before_stays_as_it_is(runner: Engine) -> None:
    before = repr(GRAPH)
    edit(runner, {"op": "remove", "node": "1"}, {"op": "set", "node": "2", "input": "b", "value": 9})

    assert repr(GRAPH) == before


IDS = st.sampled_from(["1", "2", "3", "4", "5", "a"])
TYPES = st.sampled_from(["Number", "Divide", "Add", "Unknown"])
INPUTS = st.sampled_from(["value", "a", "b"])
VALUES = st.sampled_from([0, 1, "x"])
ANY_EDIT = st.one_of(
    st.builds(
        lambda node, input, value: {"op": "set", "node": node, "input": input, "value": value}, IDS, INPUTS, VALUES
    ),
    st.builds(lambda node, input: {"op": "unset", "node": node, "input": input}, IDS, INPUTS),
    st.builds(lambda node, input: {"op": "disconnect", "node": node, "input": input}, IDS, INPUTS),
    st.builds(
        lambda node, input, source, output: {
            "op": "connect", "node": node, "input": input, "source": source, "output": output,
        },
        IDS, INPUTS, IDS, st.sampled_from([0, 1, "quotient"]),
    ),
    st.builds(lambda node, type: {"op": "add", "node": node, "class_type": type}, st.none() | IDS, TYPES),
    st.builds(lambda node: {"op": "remove", "node": node}, IDS),
    st.builds(lambda node, type: {"op": "replace", "node": node, "class_type": type}, IDS, TYPES),
)  # fmt: skip
PORTS = {"Number": ["value"], "Divide": ["a", "b"], "Add": ["a", "b"], "Unknown": ["value", "a", "b"]}
OUTPUTS = {"Number": 1, "Divide": 2, "Add": 1, "Unknown": 99}

Model = dict[str, tuple[str, dict[str, Any]]]


def modelled(model: Model, edit: dict[str, Any]) -> Model | None:
    """Return what an edit makes of a graph that is kept as a table of types and inputs; None for a bad one."""
    op, id, name = edit["op"], edit.get("node"), edit.get("input")
    model = {key: (kind, dict(inputs)) for key, (kind, inputs) in model.items()}
    if op == "add":
        if id in model:
            return None
        id = id or next(str(k) for k in range(1, 99) if all(not key.isdigit() or int(key) < k for key in model))
        return model | {id: (edit["class_type"], {})}
    if id not in model:
        return None
    kind, inputs = model[id]
    has = name in PORTS[kind] or name in inputs
    if op == "set" and has:
        inputs[name] = edit["value"]
    elif op == "connect" and has and edit["source"] in model:
        source = model[edit["source"]][0]
        slot = {"quotient": 0 if source == "Divide" else 99}.get(edit["output"], edit["output"])
        if slot >= OUTPUTS[source]:
            return None
        inputs[name] = [edit["source"], slot]
    elif op in ("unset", "disconnect") and name in inputs and is_link(inputs[name]) == (op == "disconnect"):
        del inputs[name]
    elif op == "remove":
        del model[id]
        for _, others in model.values():
            for key in [key for key, value in others.items() if is_link(value) and value[0] == id]:
                del others[key]
    elif op == "replace":
        new = edit["class_type"]
        model[id] = (new, {key: value for key, value in inputs.items() if new == "Unknown" or key in PORTS[new]})
    else:
        return None
    return model


@given(st.lists(ANY_EDIT, max_size=30))
def test_random_edits_keep_the_graph_equal_to_a_simple_model(runner: Engine, edits: list[dict[str, Any]]) -> None:
    prompt: dict[str, Any] = {}
    model: Model = {}
    for each in edits:
        expected = modelled(model, each)
        try:
            prompt = edit(runner, each, graph=prompt)
        except BadEdit:
            assert expected is None, each
        else:
            assert expected is not None, each
            model = expected
        assert {id: (node["class_type"], node["inputs"]) for id, node in prompt.items()} == model


@given(st.lists(ANY_EDIT, min_size=1, max_size=8))
def test_a_batch_is_done_whole_or_not_at_all(runner: Engine, edits: list[dict[str, Any]]) -> None:
    model: Model | None = {id: (node["class_type"], node["inputs"]) for id, node in GRAPH.items()}
    for each in edits:
        model = None if model is None else modelled(model, each)
    try:
        done = edit(runner, *edits)
    except BadEdit:
        assert model is None
    else:
        assert {id: (node["class_type"], node["inputs"]) for id, node in done.items()} == model
