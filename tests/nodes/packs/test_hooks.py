"""The functions beside a foreign node's own."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import Engine
from engine.errors import ValidationError
from nodes.packs.opening import open_packs
from tests.nodes.packs.classic import HELPERS, Bench, bench, folders, node


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


GONE_LATER = """
class Node:
    RETURN_TYPES = ()
    FUNCTION = "go"
    INPUT_TYPES = classmethod(lambda s: {"required": {"a": ("INT",)}})
    VALIDATE_INPUTS = classmethod(lambda s, a: True)

    def go(self, a): ...

NODE_CLASS_MAPPINGS = {"GoneLater": Node}
"""


def test_a_pack_that_is_gone_is_a_fault_of_its_node(tmp_path: Path) -> None:
    pack = tmp_path / "gone.py"
    pack.write_text(GONE_LATER)
    spec = open_packs([tmp_path], HELPERS, folders(tmp_path), tmp_path / "packs").registry["GoneLater"]
    pack.write_text("raise RuntimeError('I am gone')")
    registry = open_packs([tmp_path], HELPERS, folders(tmp_path), tmp_path / "elsewhere").registry
    registry.specs["GoneLater"] = spec
    with Engine(registry, folders=folders(tmp_path)) as engine, pytest.raises(ValidationError, match="gone is skipped"):
        engine.check({"1": node("GoneLater", a=1)}, targets=["1"])
