"""A task's calls that must be made, and the values that a run holds."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.binding import BoundNode
from engine.call import Outcome
from engine.graph import Link
from engine.keys import CallInputs
from engine.memory import Cached
from engine.node import Block
from engine.plan import BLOCKED
from engine.rows import Row
from engine.task import Held, Task
from tests.engine.words import Vocabulary

WORDS = Vocabulary().registry


def task(class_type: str, **links: str) -> Task:
    return Task(BoundNode("1", WORDS[class_type], {}, {name: Link(id, 0) for name, id in links.items()}))


def calls(count: int, *blocked: int) -> list[CallInputs]:
    return [CallInputs(b"%d" % i, {"a": (BLOCKED if i in blocked else b"x",)}) for i in range(count)]


def test_sources_are_what_is_needed_each_once():
    switch = task("Switch", condition="c", a="x", b="c")
    assert switch.sources == ("c",)
    switch.ask({"a"})
    assert switch.sources == ("c", "x") and switch.asked == {"a"}


def test_calls_that_must_be_made():
    half = task("Half", a="x")
    half.calls, half.rows = calls(4, 3), [Row(), None, Row(asks=("b",)), Row()]
    assert half.missing(lambda key, row: False) == (1, 2)
    half.forced = True
    assert half.missing(lambda key, row: False) == (0, 1, 2)


def test_an_output_nodes_call_is_made_again_when_its_files_are_gone():
    show = task("Show", value="x")
    show.calls, show.rows = calls(3), [Row(), Row(), None]
    assert show.missing(lambda key, row: key != b"1") == (1, 2)


def test_what_its_rows_ask_for():
    switch = task("Switch", condition="c", a="x", b="y")
    switch.rows = [Row(asks=("a",)), None, Row(asks=("a", "b"))]
    assert switch.asks() == {"a", "b"}
    switch.ask({"a"})
    assert switch.asks() == {"b"}


def outcome(*digests: bytes) -> Outcome:
    return Outcome(values={digest: Cached(digest.decode(), None) for digest in digests})


def absent(digest: bytes) -> Any:
    raise KeyError(digest)


def test_a_value_is_held_until_its_last_producer_lets_go():
    held, one, other = Held(), task("Half"), task("Half")
    held.hold(one, outcome(b"a", b"b"))
    held.hold(other, outcome(b"b"))
    held.hold(one, outcome(b"b"))
    assert held.get(b"a", absent) == "a"
    held.release(one)
    assert b"a" not in held and b"b" in held
    held.release(other)
    assert b"b" not in held and held.get(b"b", lambda digest: "elsewhere") == "elsewhere"


def test_a_block_is_always_at_hand():
    assert BLOCKED in Held() and Held().get(BLOCKED, absent) == Block()


@given(st.lists(st.tuples(st.integers(0, 3), st.sets(st.sampled_from([b"a", b"b", b"c"]))), max_size=12))
def test_what_is_held_is_what_somebody_gave_and_did_not_let_go(steps: list[tuple[int, set[bytes]]]):
    held = Held()
    tasks = [task("Half") for _ in range(4)]
    given: dict[int, set[bytes]] = {}
    for at, digests in steps:
        if digests:
            held.hold(tasks[at], outcome(*sorted(digests)))
            given.setdefault(at, set()).update(digests)
        else:
            held.release(tasks[at])
            given.pop(at, None)
        now = set().union(*given.values())
        assert {digest for digest in (b"a", b"b", b"c") if digest in held} == now
