"""Errors get the node they happened in, and keep what they know."""

import asyncio

import pytest

from engine.binding import BoundNode
from engine.errors import Cancelled, InputError, LoomisError, NodeFailure, OutOfMemory
from engine.failures import located, ran_out
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
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"), OutOfMemory),
        (asyncio.CancelledError(), Cancelled),
    ],
)
def test_any_other_error_becomes_one_of_ours(node: BoundNode, error: BaseException, kind: type[LoomisError]):
    told = located(error, node)
    assert type(told) is kind and told.node == "7" and len(told.message) < 400
    assert ran_out(error) == (kind is OutOfMemory)
