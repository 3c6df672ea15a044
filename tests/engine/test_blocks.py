"""Blocks: what they stop, in lists and lazily, and that they are told in every run."""

from pathlib import Path
from typing import NamedTuple

import pytest

from engine.events import Warned
from engine.node import Block
from tests.engine.words import Vocabulary, engine, n, ran, recorded


class Two(NamedTuple):
    a: int
    b: int


def words() -> Vocabulary:
    words = Vocabulary()

    @words.registry.node("Odd")
    def odd(a: int) -> int | Block:
        return a if a % 2 else Block(f"{a} is even")

    @words.registry.node("Halves")
    def halves(a: int) -> Two:
        return Two(a, Block("no b"))  # type: ignore[arg-type]

    @words.registry.node("Listed")
    def listed(count: int) -> list[int]:
        return [i if i % 2 else Block() for i in range(count)]  # type: ignore[misc]

    return words


MAPPED = {
    "1": n("Range", count=4),
    "2": n("Odd", a=("1", 0)),
    "3": n("Add", a=("2", 0), b=10),
    "o": n("Show", value=("3", 0)),
}


@pytest.mark.parametrize("memory_bytes", [0, 2**20])
def test_in_a_list_a_block_stops_only_its_own_call(memory_bytes: int):
    vocabulary = words()
    with engine(vocabulary, memory_bytes=memory_bytes) as e:
        assert e.run(MAPPED).outputs["o"].notes == {"text": ["11", "13"]}
        assert e.run(MAPPED, {"3.b": 20}).outputs["o"].notes == {"text": ["21", "23"]}
        assert e.run(MAPPED, {"1.count": 6}).outputs["o"].notes == {"text": ["11", "13", "15"]}
        assert set(vocabulary.called("Add")) == {(1, 10), (3, 10), (1, 20), (3, 20), (5, 10)}


def test_a_block_among_the_values_stops_a_node_that_takes_lists():
    vocabulary = words()
    graph = {"2": MAPPED["2"], "1": MAPPED["1"], "s": n("Sum", values=("2", 0)), "o": n("Show", value=("s", 0))}
    with engine(vocabulary) as e:
        assert e.run(graph).outputs["o"].notes == {} and vocabulary.called("Sum") == []


def test_one_output_of_several_may_be_blocked():
    graph = {"1": n("Halves", a=4), "x": n("Show", value=("1", 0)), "y": n("Show", value=("1", 1))}
    with engine(words()) as e:
        result, events = recorded(e, graph)
        assert result.outputs["x"].notes == {"text": ["4"]} and result.outputs["y"].notes == {}
        assert [event.message for event in events if isinstance(event, Warned)] == ["no b"]


def test_blocks_inside_a_list_output():
    graph = {"1": n("Listed", count=4), "2": n("Half", a=("1", 0)), "o": n("Show", value=("2", 0))}
    with engine(words()) as e:
        assert e.run(graph).outputs["o"].notes == {"text": ["0", "1"]}


def test_messages_are_told_in_every_run(tmp_path: Path):
    for _ in range(2):
        with engine(words(), tmp_path) as e:
            _, events = recorded(e, MAPPED)
            told = [(event.node, event.message) for event in events if isinstance(event, Warned)]
            assert told == [("2", "0 is even"), ("2", "2 is even")]


def test_a_blocked_value_can_be_asked_for():
    graph = {"1": n("Number", value=2), "2": n("Odd", a=("1", 0)), "3": n("Half", a=("2", 0))}
    with engine(words(), memory_bytes=0) as e:
        for _ in range(2):
            assert e.run(graph, values=["3", "2"]).values == {"3": ([Block()],), "2": ([Block()],)}


def test_a_blocked_condition_asks_for_nothing():
    vocabulary = words()
    graph = {
        "1": n("Number", value=2),
        "2": n("Odd", a=("1", 0)),
        "x": n("Number", value=10),
        "s": n("Switch", condition=("2", 0), a=("x", 0), b=("x", 0)),
        "o": n("Show", value=("s", 0)),
    }
    with engine(vocabulary) as e:
        _, events = recorded(e, graph)
        assert ran(events) == ["1", "2"] and vocabulary.called("Switch") == []
