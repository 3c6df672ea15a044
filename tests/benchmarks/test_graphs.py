"""The graphs have the size they are asked for, reach everything, and hold no value twice."""

import pytest

from benchmarks.graphs import LENGTH, SHAPES, edited, last, middle, registry
from benchmarks.rivals import RIVALS, bare_calls
from engine import Engine, Folders


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [10, 100, 1000])
def test_a_graph_has_its_size_and_no_two_equal_values(shape: str, size: int) -> None:
    prompt = SHAPES[shape](size)

    values = [value for value in bare_calls(prompt).values() if isinstance(value, str)]
    assert len(prompt) == size
    assert len(set(values)) == len(values)
    assert all(len(value) == LENGTH for value in values)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_node_is_needed(shape: str) -> None:
    prompt = SHAPES[shape](100)

    with Engine(registry, folders=Folders()) as engine:
        assert set(engine.plan(prompt).steps) == set(prompt)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_rivals_compute_what_bare_calls_compute(shape: str) -> None:
    prompt = SHAPES[shape](100)

    for loop in RIVALS.values():
        assert loop(prompt) == bare_calls(prompt)


def test_an_edit_changes_one_node() -> None:
    prompt = SHAPES["chain"](10)

    changed = edited(prompt, middle(prompt), 7)

    assert [id for id in prompt if prompt[id] != changed[id]] == ["5"]
    assert last(prompt) == "9"
