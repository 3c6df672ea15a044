"""A plan as a graph, and its longest chain."""

from engine.paths import as_networkx, critical_path
from tests.engine.words import Vocabulary, engine, n

GRAPH = {
    "d": n("Device", seconds=0.06),
    "f": n("Number", value=1),
    "h": n("Half", a=("f", 0)),
    "od": n("Show", value=("d", 0)),
    "oh": n("Show", value=("h", 0)),
}


def test_the_longest_chain_is_that_of_the_slow_node():
    with engine(Vocabulary()) as e:
        e.run(GRAPH)
        changed = {"d.seconds": 0.05, "f.value": 3}
        plan = e.plan(GRAPH, changed)
        path, seconds = critical_path(e.check(GRAPH, changed), plan)
        assert path == ["d", "od"]
        assert 0.06 <= seconds < plan.seconds[1]


def test_links_and_states_are_in_the_graph():
    with engine(Vocabulary()) as e:
        e.run(GRAPH)
        view = as_networkx(e.check(GRAPH), e.plan(GRAPH))
    assert set(view.edges) == {("f", "h"), ("d", "od"), ("h", "oh")}
    assert view.edges["f", "h"] == {"input": "a", "slot": 0}
    assert {state for _, state in view.nodes(data="state")} == {"remembered"}
