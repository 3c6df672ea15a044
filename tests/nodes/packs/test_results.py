"""What foreign nodes return."""

from pathlib import Path
from typing import Any

import pytest

from engine.errors import InputError
from engine.node import Registry
from engine.schema import Block, Expanded, LinkTo, Shown
from nodes.packs import current
from nodes.packs.facts import NodeFacts, OutputFacts
from nodes.packs.held import Held
from nodes.packs.names.comfy_execution.graph import ExecutionBlocker
from nodes.packs.results import returned
from tests.nodes.packs.classic import folders

HELD = Held(None)  # type: ignore[arg-type]


def outputs(result: Any, *slots: tuple[str, bool]) -> Any:
    facts = NodeFacts("T", "T", "", "", (), tuple(OutputFacts(type, type, is_list) for type, is_list in slots))
    return returned(facts, result, HELD)


INT, INTS = ("INT", False), ("INT", True)


@pytest.mark.parametrize(("result", "slots", "found"), [
    ((1,), [INT], 1),
    ([1, 2], [INT, INT], (1, 2)),
    ((1, 2, 3), [INT, INT], (1, 2)),
    ((1,), [INT, INT], (1, None)),
    (([1, 2],), [INTS], [1, 2]),
    (None, [], None),
    ({}, [INT, INTS], (None, [])),
    ({"result": (1,)}, [INT], 1),
    ({"result": (1,), "ui": {"text": ("a",), "n": 1}}, [INT], Shown(1, notes={"text": ["a"], "n": [1]})),
    (ExecutionBlocker("no"), [INT, INTS], (Block("no"), Block("no"))),
    ((ExecutionBlocker(None), 2), [INT, INT], (Block(None), 2)),
])  # fmt: skip
def test_what_is_returned_becomes_outputs(result: Any, slots: Any, found: Any) -> None:
    assert outputs(result, *slots) == found


def test_what_is_no_result_is_an_error() -> None:
    with pytest.raises(InputError, match="The node returned a str"):
        outputs("text", INT)


def test_a_graph_has_links_literals_and_held_values(tmp_path: Path) -> None:
    current.begin(folders(tmp_path), Registry())
    thing = object()
    graph = {"a": {"class_type": "X", "inputs": {"n": 1, "l": [1, 2, 3], "v": thing, "to": ["3", 0]}}}
    found = outputs({"expand": graph, "result": (["a", 1], 5)}, INT, INT)
    assert isinstance(found, Expanded) and found.result == (LinkTo("a", 1), 5)
    made = found.graph["a"]["inputs"]
    holder, slot = made["v"]
    assert (made["n"], made["l"], made["to"], slot) == (1, {"__value__": [1, 2, 3]}, ["3", 0], 0)
    token = found.graph[holder]["inputs"]["token"]
    assert HELD.value(token) is thing
    del found
    with pytest.raises(InputError, match="is gone"):
        HELD.value(token)
