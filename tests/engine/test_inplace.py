"""Inputs that a node changes in place: an error for ours, copies for those of packs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nodes  # noqa: F401  (registers the codec of tensors)
from engine.errors import DefinitionError, InputError, NodeFailure
from engine.events import Warned
from engine.inplace import changed, copied, versions
from engine.types import Anything
from tests.engine.words import Vocabulary, engine, n, ran, recorded


def test_changes_are_seen_in_what_holds_tensors():
    inside, beside = torch.zeros(2), torch.zeros(2)
    given = {"a": {"x": [inside, 3]}, "b": (beside, "text"), "c": 5}
    before = versions(given)
    assert changed(before) == []
    inside.add_(1)
    assert changed(before) == ["a"]
    beside[0] = 1
    assert changed(before) == ["a", "b"]


def test_a_copy_shares_nothing():
    tensor = torch.arange(4.0)
    copy = copied([tensor, "text"])
    copy[0].add_(1)
    assert tensor.tolist() == [0, 1, 2, 3] and copy[0].tolist() == [1, 2, 3, 4] and copy[1] == "text"
    lock, array = object(), np.zeros(2)
    inside = copied({"lock": lock, "of": [(array, tensor)]})
    inside["of"][0][0][0] = inside["of"][0][1][0] = 9
    assert copied(lock) is inside["lock"] is lock
    assert (array.tolist(), tensor.tolist()) == ([0, 0], [0, 1, 2, 3])


def words() -> Vocabulary:
    """A vocabulary where Careless and AlsoCareless of a pack change their input, and Keeper what it gave."""
    words = Vocabulary()

    @words.registry.node("Zeros")
    def zeros(size: int) -> Anything:
        words.calls.append(("Zeros", size))
        return torch.zeros(size)

    @words.registry.node("Total")
    def total(tensor: Anything, after: int = 0) -> int:
        return int(tensor.sum())

    def careless(tensor: Any, fail: bool = False) -> int:
        words.calls.append(("Careless", tensor.tolist()))
        array = tensor.numpy()
        array += 1  # torch does not count this
        if fail:
            raise ValueError("and fails")
        return int(tensor.sum())

    @words.registry.node("Careless", foreign="pack", version="0a1b")
    def first(tensor: Anything, fail: bool = False) -> int:
        return careless(tensor, fail)

    @words.registry.node("AlsoCareless", foreign="pack", version="0a1b")
    async def second(tensor: Anything) -> int:
        return careless(tensor)

    canvas = torch.zeros(2)

    @words.registry.node("Keeper", foreign="pack", version="2c")
    def keeper(fill: int) -> Anything:
        canvas.numpy()[:] = fill
        return canvas

    return words


GRAPH = {
    "z": n("Zeros", size=3),
    "c": n("Careless", tensor=("z", 0), fail=False),
    "t": n("Total", tensor=("z", 0), after=("c", 0)),
    "o": n("Show", value=("t", 0)),
}


@pytest.mark.parametrize("memory_bytes", [0, 2**20])
@pytest.mark.parametrize(("node", "fail"), [("Careless", {"fail": False}), ("AlsoCareless", {})])
def test_a_foreign_node_gets_copies(memory_bytes: int, node: str, fail: dict[str, bool]):
    vocabulary = words()
    with engine(vocabulary, memory_bytes=memory_bytes) as e:
        graph = {**GRAPH, "c": n(node, tensor=("z", 0), **fail)}
        result, events = recorded(e, graph, values=["c", "z"])
        assert result.values["c"] == ([3],) and result.outputs["o"].notes == {"text": ["0"]}
        assert result.values["z"][0][0].tolist() == [0, 0, 0]
        assert vocabulary.called("Zeros") == [3] and ran(events).count("z") == 1
        assert not [event for event in events if isinstance(event, Warned)]


def test_what_a_foreign_node_gave_stays_what_it_was(tmp_path: Path):
    first = {"k": n("Keeper", fill=1), "t": n("Total", tensor=("k", 0), after=0)}
    with engine(words(), tmp_path) as e:
        e.run(first, values=["k"])
        e.run({"k": n("Keeper", fill=5)}, values=["k"])
        assert e.run(first, values=["k"]).values["k"][0][0].tolist() == [1, 1]
    with engine(words(), tmp_path) as e:
        assert e.run(first, values=["t"]).values["t"] == ([2],)


def test_a_foreign_node_that_fails_leaves_no_changed_value_behind():
    with engine(words()) as e:
        with pytest.raises(NodeFailure, match="and fails"):
            e.run(GRAPH, {"c.fail": True})
        graph = {"z": GRAPH["z"], "t": n("Total", tensor=("z", 0), after=0), "o": n("Show", value=("t", 0))}
        assert e.run(graph).outputs["o"].notes == {"text": ["0"]}


def test_one_of_ours_is_an_error():
    vocabulary = words()
    graph = {"z": n("Zeros", size=3), "m": n("Mutate", tensor=("z", 0)), "o": n("Show", value=("m", 0))}
    with engine(vocabulary) as e:
        for _ in range(2):
            with pytest.raises(InputError, match="changed its input in place") as caught:
                e.run(graph)
            assert (caught.value.node, caught.value.input) == ("m", "tensor")
        assert vocabulary.called("Zeros") == [3, 3]


def test_the_version_of_a_foreign_node_is_a_hash():
    with pytest.raises(DefinitionError, match="a node of the pack 'pack' has the version 1"):

        @Vocabulary().registry.node("Numbered", foreign="pack")
        def numbered(a: int) -> int:
            return a
