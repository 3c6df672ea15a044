"""Inputs that a node changes in place: an error for ours, copies for the packs of others."""

from typing import Any

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
    lock = object()
    assert copied(lock) is lock


def words() -> Vocabulary:
    """A vocabulary where Careless and AlsoCareless of one pack, and Stranger of another, change their input."""
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
        tensor.add_(1)
        if fail:
            raise ValueError("and fails")
        return int(tensor.sum())

    @words.registry.node("Careless", foreign="pack", version="0a1b")
    def first(tensor: Anything, fail: bool = False) -> int:
        return careless(tensor, fail)

    @words.registry.node("AlsoCareless", foreign="pack", version="0a1b")
    async def second(tensor: Anything) -> int:
        return careless(tensor)

    @words.registry.node("Stranger", foreign="other", version="2c")
    def third(tensor: Anything) -> int:
        return careless(tensor)

    return words


GRAPH = {
    "z": n("Zeros", size=3),
    "c": n("Careless", tensor=("z", 0), fail=False),
    "t": n("Total", tensor=("z", 0), after=("c", 0)),
    "o": n("Show", value=("t", 0)),
}


@pytest.mark.parametrize("memory_bytes", [0, 2**20])
def test_what_a_foreign_node_changed_is_made_again(memory_bytes: int):
    vocabulary = words()
    with engine(vocabulary, memory_bytes=memory_bytes) as e:
        result, events = recorded(e, GRAPH, values=["c", "z"])
        assert result.values["c"] == ([3],) and result.outputs["o"].notes == {"text": ["0"]}
        assert result.values["z"][0][0].tolist() == [0, 0, 0]
        assert vocabulary.called("Zeros") == [3, 3] and ran(events).count("z") == 2
        (warning,) = [event for event in events if isinstance(event, Warned)]
        assert warning.node == "c" and "Nodes of pack get copies now" in warning.message


def test_its_pack_gets_copies_from_then_on():
    vocabulary = words()
    with engine(vocabulary) as e:
        e.run(GRAPH)
        for node in ("Careless", "AlsoCareless"):
            graph = {**GRAPH, "z": n("Zeros", size=4), "c": n(node, tensor=("z", 0), fail=False)}
            result, events = recorded(e, graph, values=["c"])
            assert result.values["c"] == ([4],) and result.outputs["o"].notes == {"text": ["0"]}
            assert not [event for event in events if isinstance(event, Warned)]
        assert vocabulary.called("Zeros") == [3, 3, 4]
        _, events = recorded(e, {**GRAPH, "c": n("Stranger", tensor=("z", 0))})
        assert [event.node for event in events if isinstance(event, Warned)] == ["c"]


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
