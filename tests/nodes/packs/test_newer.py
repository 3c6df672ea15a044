"""Nodes of the newer interface in runs of the engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import ValidationError
from tests.nodes.packs.classic import Bench, bench, node


@pytest.fixture
def newer(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path, "newer") as made:
        yield made


def test_a_schema_is_what_editors_see(newer: Bench) -> None:
    spec = newer.engine.registry["NewerAdd"]
    assert (spec.display_name, spec.category, spec.description) == ("Add", "newer", "Add two numbers.")
    assert [(port.name, port.type, port.required) for port in spec.inputs] == [
        ("a", "INT", True),
        ("unit", "COMBO", True),
        ("b", "FLOAT", False),
    ]
    assert [(slot.name, slot.type) for slot in spec.outputs] == [("sum", "FLOAT"), ("STRING", "STRING")]


def test_a_node_gets_its_inputs_and_hidden_ones(newer: Bench) -> None:
    assert newer.one("NewerAdd", a=2, unit="kg") == [2.5, "kg 1"]
    for inputs, code in (({"a": 10, "unit": "m"}, "value_bigger_than_max"), ({"a": 1, "unit": "%"}, "custom_validation_failed")):  # fmt: skip  # noqa: E501
        with pytest.raises(ValidationError) as caught:
            newer.one("NewerAdd", **inputs)
        assert [fault.code for fault in caught.value.faults] == [code]


def test_lazy_inputs(newer: Bench) -> None:
    graph = {
        "a": node("NewerAdd", a=1, unit="m"),
        "b": node("NewerAdd", a=2, unit="m"),
        "1": node("NewerPick", first=False, a=["a", 0], b=["b", 0]),
    }
    assert newer.run(graph, "1") == [[2.5]]
    assert "a" not in newer.ran


def test_inputs_that_grow_and_choices_that_bring_inputs(newer: Bench) -> None:
    inputs = {"of.x": 1, "of.y": ["n", 0], "mode": "times", "mode.factor": 3}
    graph = {"n": node("PrimitiveInt", value=4), "1": node("NewerGrow", **inputs)}
    assert newer.run(graph, "1") == [[15]]
    assert newer.one("NewerGrow", mode="plain", **{"of.x": 2}) == [2]


def test_what_is_shown_blocks_lists_and_graphs(newer: Bench) -> None:
    graph = {"1": node("NewerRepeat", texts=["t", 0]), "t": node("Words", count=2)}
    assert newer.run(graph, "1") == [["w0+w1", ["w0", "w1", "w0", "w1"]]]
    shown = newer.engine.run({"1": node("NewerShow", text=["t", 0]), "t": node("Words", count=1)}).outputs["1"]
    assert dict(shown.notes) == {"text": ["w0"]}
    graph = {"e": node("PrimitiveText", value=""), "1": node("NewerShow", text=["e", 0])}
    newer.run(graph)
    assert newer.warned == ["nothing to show"]
