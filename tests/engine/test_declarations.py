"""What a workflow declares of its parameters, and what becomes of values that are given to them."""

import json
from pathlib import Path

import pytest

from engine.declarations import Declaration, read_declarations
from engine.errors import ValidationError, WorkflowError
from engine.formats.diagnostics import Report
from engine.schema import Port
from tests.engine.test_outputs import png
from tests.engine.words import Vocabulary, engine, n

GRAPH = {
    "1": n("Number", value=3),
    "2": n("Number", value=4),
    "3": n("Divide", a=("1", 0), b=5),
    "4": n("Add", a=("3", 0), b=("2", 0)),
    "5": n("Show", value=("4", 0)),
}
DECLARED = {
    "both": {"input": ["1.value", "2.value"], "minimum": 1, "description": "Two at once."},
    "b": {"input": "Divide.b", "default": 2, "maximum": 10},
    "kind": {"input": "2.value", "choices": [7, 8]},
}


@pytest.fixture
def e(tmp_path: Path):
    with engine(Vocabulary(), tmp_path) as made:
        yield made


def shown(e, parameters=None, declared=DECLARED):
    return e.run({"prompt": GRAPH, "loomis": {"parameters": declared}}, parameters).outputs["5"].notes["text"]


def test_a_workflow_is_a_function_of_what_it_declares(e):
    assert shown(e) == ["5"]  # 3 // 2 + 4: the default of b takes the place of 5
    assert shown(e, {"both": "20", "b": 4}) == ["25"]
    assert shown(e, {"kind": 7}) == ["8"]
    assert shown(e, {"both": 9, "3.b": 3}) == ["12"]  # an address goes before a default


def test_every_value_that_is_wrong_is_told_at_once(e):
    with pytest.raises(ValidationError) as caught:
        shown(e, {"both": 0, "b": 11, "kind": 0})
    assert [(fault.code, fault.message) for fault in caught.value.faults] == [
        ("value_smaller_than_min", "The parameter both: 0 is smaller than 1."),
        ("value_bigger_than_max", "The parameter b: 11 is bigger than 10."),
        ("value_not_in_list", "The parameter kind: '0' is no choice."),
    ]


def test_two_names_for_one_input_must_agree(e):
    assert shown(e, {"both": 7, "kind": 7}) == ["10"]
    with pytest.raises(WorkflowError, match="both and kind give one input different values"):
        shown(e, {"both": 8, "kind": 7})


def test_a_declaration_that_names_no_input_says_so(e):
    with pytest.raises(WorkflowError, match="No node is called 'Dvide'"):
        shown(e, declared={"b": {"input": "Dvide.b", "default": 1}})


def test_bounds_only_narrow():
    port = Port("b", "INT", minimum=1, maximum=100)
    wide, narrow = (Declaration(input="3.b", minimum=low, maximum=high).port(port) for low, high in ((-5, 500), (2, 9)))
    assert (wide.minimum, wide.maximum, wide.type) == (1, 100, "INT")
    assert (narrow.minimum, narrow.maximum) == (2, 9)
    assert Declaration(input="3.b", type="number").port(None).type == "FLOAT"


@pytest.mark.parametrize(
    "bad",
    [
        {"1st": "1.value"},
        {"a.b": "1.value"},
        {"a": {}},
        {"a": {"input": []}},
        {"a": {"input": "1.value", "type": "tensor"}},
        {"a": {"input": "1.value", "minimum": float("nan")}},
        {"a": {"input": "1.value", "defualt": 1}},
        {"a": 7},
        {"a": {"input": "1.value", "choices": []}},
    ],
)
def test_what_is_no_declaration_is_an_error_of_the_file(bad):
    report = Report()
    assert read_declarations({"parameters": bad | {"good": "1.value"}}, report).keys() == {"good"}
    assert [(each.code, each.level) for each in report.finish()] == [("bad_parameter", "error")]


@pytest.mark.parametrize("junk", [None, 1, [], {"parameters": 1}, {"parameters": [1]}])
def test_anything_else_declares_nothing(junk):
    report = Report()
    assert read_declarations(junk, report) == {} and report.finish() == ()


SAVED = {
    "version": 0.4,
    "nodes": [{"id": 1, "type": "Text", "widgets_values": ["a"], "outputs": [{"name": "s", "type": "STRING"}]}],
    "links": [],
    "extra": {"ds": {}, "loomis": {"parameters": {"words": "1.value"}}},
}


@pytest.mark.parametrize("kind", ["saved", "api", "picture"])
def test_where_declarations_stand(e, kind, tmp_path: Path):
    from engine.outputs import with_png_text

    prompt = {"1": n("Text", value="a")}
    kept = {"parameters": {"words": "1.value"}}
    picture = with_png_text(png(), {"prompt": prompt, "loomis": kept})
    source = {"saved": SAVED, "api": {"prompt": prompt, "loomis": kept}, "picture": picture}[kind]
    (words,) = e.parameters(source)
    assert (words.name, words.node, words.input, words.value) == ("words", "1", "value", "a")
    assert e.check(source, {"words": "b"}, targets=["1"]).nodes["1"].literals == {"value": "b"}
    (tmp_path / "file").write_bytes(source if isinstance(source, bytes) else json.dumps(source).encode())
    assert [each.name for each in e.parameters(tmp_path / "file")] == ["words"]
