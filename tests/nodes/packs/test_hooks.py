"""The functions beside a foreign node's own."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ValidationError
from tests.nodes.packs.classic import Bench, bench, node


@pytest.fixture
def classic(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


def test_a_node_runs_again_when_is_changed_says_so(classic: Bench) -> None:
    assert classic.one("Clock", step=2) == [0]
    clock = sys.modules["custom_nodes.classic.parts.effects"].Clock
    for age, ran in ((0, []), (5, ["1"]), (0, [])):
        clock.age = age
        assert (classic.one("Clock", step=2), classic.ran) == ([2 * age], ran)


def test_a_node_whose_is_changed_fails_always_runs(classic: Bench, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        classic.one("Clock", step=9)
        assert classic.ran == ["1"]
    assert "no nines" in caplog.text


@pytest.mark.parametrize(("type", "inputs", "fault"), [
    ("Even", {"number": 3, "unit": "m"}, ("number", "3 is odd.")),
    ("Even", {"number": 4, "unit": "m"}, None),
    ("Even", {"number": ["half", 0], "unit": "m"}, None),
    ("Typed", {"value": ["half", 0]}, None),
    ("Typed", {"value": ["box", 0]}, ("value", "It takes texts and whole numbers.")),
])  # fmt: skip
def test_a_node_judges_its_own_inputs(
    classic: Bench, type: str, inputs: dict[str, Any], fault: tuple[str, str] | None
) -> None:
    graph = {"half": node("Clock", step=1), "box": node("PutIn", content=1), "1": node(type, **inputs)}
    if fault is None:
        classic.engine.check(graph, targets=["1"])
        return
    with pytest.raises(ValidationError) as caught:
        classic.engine.check(graph, targets=["1"])
    (found,) = caught.value.faults
    assert (found.code, found.input) == ("custom_validation_failed", fault[0]) and fault[1] in found.message
