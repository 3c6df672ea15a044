"""Cycles: every one is found and named."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.cycles import find_cycles
from tests.engine.checking import check, faults
from tests.engine.words import n


def cycle(*links: tuple[str, str], out: str) -> dict[str, Any]:
    """Return a graph of Joins: each pair is a link from the first to the second."""
    graph: dict[str, Any] = {}
    for id in dict.fromkeys(id for pair in links for id in pair):
        sources = [source for source, user in links if user == id]
        inputs = dict.fromkeys("ab", 1) | {name: (source, 0) for name, source in zip("ab", sources, strict=False)}
        graph[id] = n("Join", **inputs)
    return {**graph, "o": n("Show", value=(out, 0))}


def test_a_cycle_is_named():
    found = faults(cycle(("x", "y"), ("y", "z"), ("z", "x"), out="z"))
    assert {fault.node for fault in found} == {"x", "y", "z"} and {fault.code for fault in found} == {
        "dependency_cycle"
    }
    assert {fault.got for fault in found} <= {"x -> y -> z -> x", "y -> z -> x -> y", "z -> x -> y -> z"}
    assert "(Join) -> " in found[0].message and all(fault.outputs == ("o",) for fault in found)


def test_a_node_that_feeds_itself():
    (fault,) = faults(cycle(("x", "x"), out="x"))
    assert (fault.node, fault.got) == ("x", "x -> x")


def test_cycles_that_depend_on_each_other_are_all_named():
    graph = cycle(("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "c"), ("x", "x"), ("x", "d"), out="d")
    assert {frozenset(str(fault.got).split(" -> ")) for fault in faults(graph)} == {*map(frozenset, ("ab", "cd", "x"))}


def test_what_hangs_on_a_cycle_is_not_in_it():
    found = faults(cycle(("x", "y"), ("y", "x"), ("y", "z"), out="z"))
    assert {fault.node for fault in found} == {"x", "y"}


def test_a_cycle_through_a_lazy_input():
    graph = {"s": n("Switch", which=True, a=1, b=("s", 0)), "o": n("Show", value=("s", 0))}
    assert [fault.code for fault in faults(graph)] == ["dependency_cycle"]


def test_a_cycle_beside_a_valid_output_refuses_nothing():
    graph = {**cycle(("x", "y"), ("y", "x"), out="x"), "1": n("Number", value=1), "p": n("Show", value=("1", 0))}
    bound = check(graph, targets=["p"])
    assert bound.nodes.keys() == {"1", "p"} and {fault.code for fault in bound.faults} == {"dependency_cycle"}
    assert all(fault.outputs == () for fault in bound.faults)


@given(st.dictionaries(st.integers(0, 7), st.sets(st.integers(0, 7), max_size=3), max_size=8))
def test_a_cycle_is_found_where_one_is(edges: dict[int, set[int]]):
    sources = {str(id): {str(other) for other in others} for id, others in edges.items()}
    cycles = find_cycles(sources)
    for found in cycles:
        for source, user in zip(found, [*found[1:], found[0]], strict=True):
            assert source in sources[user]
    nodes = [id for found in cycles for id in found]
    assert len(nodes) == len(set(nodes))
    left = dict(sources)
    while free := [id for id, others in left.items() if not others & left.keys()]:
        for id in free:
            del left[id]
    assert bool(cycles) == bool(left)
