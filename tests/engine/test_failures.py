"""Errors get the node they happened in, and keep what they know."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.binding import BoundNode
from engine.errors import Cancelled, InputError, LoomisError, NodeFailure, OutOfMemory
from engine.failures import MOST_FRAMES, located, raised, ran_out
from engine.graph import Link
from tests.engine.words import Vocabulary


@pytest.fixture
def node() -> BoundNode:
    return BoundNode("7", Vocabulary().registry["Half"], {}, {})


def test_an_error_of_ours_gets_its_node(node: BoundNode):
    error = InputError("Odd.", hint="Use an even number.")
    assert located(error, node) is error
    assert (error.node, error.class_type, error.hint) == ("7", "Half", "Use an even number.")


def test_an_error_that_knows_its_node_keeps_it(node: BoundNode):
    error = located(LoomisError("Odd.", node="3", class_type="Inner"), node)
    assert (error.node, error.class_type) == ("3", "Inner")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("x" * 10_000), NodeFailure),
        (SystemExit(1), NodeFailure),
        (MemoryError(), OutOfMemory),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), OutOfMemory),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."), OutOfMemory),
        (RuntimeError("MPS backend out of memory (MPS allocated: 5.40 GB, max allowed: 6.13 GB)"), OutOfMemory),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"), OutOfMemory),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), OutOfMemory),
        (ValueError("no CUDA error: out of memory"), NodeFailure),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"), OutOfMemory),
        (asyncio.CancelledError(), Cancelled),
    ],
)
def test_any_other_error_becomes_one_of_ours(node: BoundNode, error: BaseException, kind: type[LoomisError]):
    told = located(error, node)
    assert type(told) is kind and told.node == "7" and len(told.message) < 400
    assert ran_out(error) == (kind is OutOfMemory)


def failing(depth: int) -> None:
    if depth == 0:
        raise ValueError("with the password hunter2")
    failing(depth - 1)


def caught(depth: int) -> Exception:
    try:
        failing(depth)
    except ValueError as error:
        return error
    raise AssertionError


def test_the_frames_below_the_call_are_told(node: BoundNode):
    first, last = raised(caught(1), node, {}).traceback
    assert first.startswith('  File "tests/engine/test_failures.py"') and "failing(depth - 1)" in first
    assert 'raise ValueError("with the password hunter2")' in last


def test_of_many_frames_the_innermost_are_told(node: BoundNode):
    told = raised(caught(900), node, {}).traceback
    assert len(told) < MOST_FRAMES and "repeated" in told[-2]
    assert "raise ValueError" in told[-1]


def test_inputs_are_told_as_short_texts(node: BoundNode):
    given: dict[str, Any] = {
        "text": "x" * 10_000, "seed": 2**64 - 1, "on": True, "image": np.zeros((1, 8, 8, 3)), "dict": {"a": 1},
        "model": object(), "api_key": "hunter2", "huge": 10**5000, "hidden": "not an input",
    }  # fmt: skip
    literals = {name: None for name in given if name not in ("hidden", "image")}
    told = raised(ValueError(), node._replace(literals=literals, links={"image": Link("1", 0)}), given)
    assert told.traceback == ()
    assert {name: text for name, (text,) in told.inputs.items() if name != "text"} == {
        "seed": "18446744073709551615", "on": "True", "dict": "dict of 1", "model": "object", "api_key": "(not told)",
        "huge": "int with too many digits to show", "image": "ndarray [1, 8, 8, 3]",
    }  # fmt: skip
    assert len(told.inputs["text"][0]) <= 120


def test_lists_of_values_and_many_inputs_are_cut(node: BoundNode):
    literals = {f"input {i}": 0 for i in range(1000)}
    listed = node._replace(literals=literals, spec=replace(node.spec, input_is_list=True))
    told = raised(ValueError(), listed, {name: list(range(100)) for name in literals} | {"input 0": None})
    assert (len(told.inputs), told.inputs["input 0"], told.inputs["input 1"]) == (50, ("None",), ("0", "1", "2", "3"))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("hf_token", "hunter2", "(not told)"),
        ("authorization", "hunter2", "(not told)"),
        ("private_key", "hunter2", "(not told)"),
        ("pwd", "hunter2", "(not told)"),
        ("keyframe", "4", "4"),
        ("url", "https://me:hunter2@example.org/a", "https://***@example.org/a"),
    ],
)
def test_what_names_and_addresses_keep_secret_is_not_told(node: BoundNode, name: str, value: str, told: str):
    found = raised(ValueError(), node._replace(literals={name: None}), {name: value})
    assert found.inputs == {name: (told,)}


class Unshaped:
    @property
    def shape(self) -> tuple[int, ...]:
        raise RuntimeError("no shape yet")


def test_a_value_that_can_not_be_described_takes_nothing_from_the_failure(node: BoundNode):
    told = raised(ValueError(), node._replace(literals={"a": None}), {"a": Unshaped()})
    assert told.inputs == {"a": ("Unshaped",)}


def test_a_file_is_named_without_the_folders_of_the_machine(node: BoundNode, tmp_path: Path):
    source = tmp_path / "packs" / "a-pack" / "nodes.py"
    source.parent.mkdir(parents=True)
    source.write_text("def run():\n    raise ValueError\n")
    space: dict[str, Any] = {}
    exec(compile(source.read_text(), str(source), "exec"), space)  # as a node pack is
    try:
        space["run"]()
    except ValueError as error:
        assert raised(error, node, {}).traceback[-1].startswith('  File "packs/a-pack/nodes.py", line 2, in run')
