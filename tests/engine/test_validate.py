"""All faults of a graph at once, what depends on them, and graphs of any size and shape."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.binding import BoundNode
from engine.errors import ValidationError, WorkflowError
from engine.graph import Link
from tests.engine.checking import WORDS, check, faults
from tests.engine.words import n


def test_a_valid_graph_is_bound():
    bound = check({"1": n("Number", value="20"), "2": n("Join", a=("1", 0), b=3), "o": n("Show", value=("2", 0))})
    assert bound.targets == ("o",) and bound.faults == ()
    assert bound.nodes["1"] == BoundNode("1", WORDS["Number"], {"value": 20}, {})
    assert bound.nodes["2"].literals == {"b": 3} and bound.nodes["2"].links == {"a": Link("1", 0)}


def test_nothing_to_show():
    (fault,) = faults({"1": n("Number", value=1)})
    assert (fault.code, fault.node) == ("prompt_no_outputs", None)
    (fault,) = faults({"1": n("Number", value=1), "o": n("Show", value=("1", 0))}, targets=[])
    assert fault.code == "prompt_no_outputs" and "asked for" in fault.message


def test_all_faults_at_once_with_the_outputs_they_hit():
    graph = {
        "1": n("Number", value="x"),
        "2": n("Join", a=("1", 0)),
        "3": n("Nmber", value=1),
        "4": n("Join", a=("3", 0), b=("9", 0)),
        "5": n("Number", value=1),
        "o1": n("Show", value=("2", 0)),
        "o2": n("Show", value=("4", 0)),
        "o3": n("Show", value=("5", 0)),
        "o4": n("Save", image=("2", 0)),
    }
    with pytest.raises(ValidationError) as caught:
        check(graph)
    found = [(fault.node, fault.input, fault.code, fault.outputs) for fault in caught.value.faults]
    assert found == [
        ("1", "value", "invalid_input_type", ("o1",)),
        ("2", "b", "required_input_missing", ("o1",)),
        ("3", None, "missing_node_type", ("o2",)),
        ("4", "b", "bad_linked_input", ("o2",)),
        ("o4", "image", "return_type_mismatch", ("o4",)),
    ]
    assert str(caught.value).endswith("(and 4 more)")


BROKEN = {
    "1": n("Number", value=1),
    "2": n("Number", value="x"),
    "o1": n("Show", value=("1", 0)),
    "o2": n("Show", value=("2", 0)),
    "3": n("Unknown"),
}


@pytest.mark.parametrize(("faulty", "outputs"), [(1, 4), (4, 1), (3, 3)])
def test_a_fault_tells_its_outputs_whichever_are_more(faulty: int, outputs: int):
    graph = {f"bad{i}": n("Number", value="x") for i in range(faulty)}
    graph |= {"sum0": n("Number", value=1), "fine": n("Show", value=("sum0", 0))}
    graph |= {f"sum{i + 1}": n("Join", a=(f"bad{i}", 0), b=(f"sum{i}", 0)) for i in range(faulty)}
    graph |= {f"o{i}": n("Show", value=(f"sum{faulty}", 0)) for i in range(outputs)}
    hit = tuple(f"o{i}" for i in range(outputs))
    assert [(fault.node, fault.outputs) for fault in faults(graph)] == [(f"bad{i}", hit) for i in range(faulty)]
    left = check(graph, partial=True)
    assert left.targets == ("fine",) and set(left.nodes) == {"fine", "sum0"}


def test_an_id_may_be_empty():
    (fault,) = faults({"": n("Nope"), "o": n("Show", value=("", 0))})
    assert (fault.node, fault.outputs) == ("", ("o",))


def test_partial_leaves_out_what_is_hit():
    bound = check(BROKEN, partial=True)
    assert bound.targets == ("o1",) and bound.nodes.keys() == {"1", "o1"}
    assert [(fault.node, fault.outputs) for fault in bound.faults] == [("2", ("o2",)), ("3", ())]


def test_partial_refuses_when_nothing_is_left():
    (fault,) = faults({id: BROKEN[id] for id in ("2", "o2")}, partial=True)
    assert fault.node == "2"


def test_a_fault_that_hits_no_wanted_node_refuses_nothing():
    assert check(BROKEN, targets=["o1"]).nodes.keys() == {"1", "o1"}
    assert [fault.node for fault in faults(BROKEN)] == ["2"]


def test_targets_may_be_any_nodes():
    bound = check(BROKEN, targets=["1", "o1", "1"])
    assert bound.targets == ("1", "o1")
    assert check({"1": n("Number", value=1)}, also=["1"]).targets == ("1",)
    assert check({id: BROKEN[id] for id in ("1", "o1")}, also=["1"]).targets == ("o1", "1")
    with pytest.raises(WorkflowError, match="no node 'o5' to run") as caught:
        check(BROKEN, targets=["o5"])
    assert caught.value.expected in ("o1", "o2")


def test_a_long_chain_is_checked_without_recursion():
    graph = {"0": n("Number", value=1)} | {f"{i}": n("Join", a=(f"{i - 1}", 0), b=1) for i in range(1, 10_000)}
    graph["o"] = n("Show", value=("9999", 0))
    assert len(check(graph).nodes) == 10_001
    graph["0"] = n("Number", value="x")
    (fault,) = faults(graph)
    assert fault.outputs == ("o",)
    graph["0"] = n("Join", a=("9999", 0), b=1)
    found = faults(graph)
    assert len(found) == 10_000 and " -> ... -> " in str(found[0].got) and len(found[0].message) < 600


DAMAGE = [
    ("class_type", "Nonsense"), ("value", math.nan), ("value", {}), ("value", "x"), ("value", -11),
    ("value", ["gone", 0]), ("value", [1, 2, 3]), ("a", ["p", 0]), ("a", [[], 0]), ("b", None),
    ("b", "1.5"), ("a", ["0", 7]), ("b", 10**400),
]  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from(["Number", "Join"]), st.integers(0, 10**6)), min_size=1, max_size=12),
    st.dictionaries(st.integers(0, 11), st.sampled_from(DAMAGE), max_size=4),
)
def test_every_damaged_node_has_a_fault_and_no_other(shape: list[tuple[str, int]], damage: dict[int, tuple[str, Any]]):
    graph: dict[str, Any] = {}
    for index, (kind, at) in enumerate(shape):
        if kind == "Number" or not index:
            graph[f"{index}"] = n("Number", value=1)
        else:
            graph[f"{index}"] = n("Join", a=(f"{at % index}", 0), b=1)
    damaged = set()
    for index, (field, value) in damage.items():
        node = graph.get(f"{index}")
        if node and field == "class_type":
            node["class_type"] = value
        elif node and field in node["inputs"]:
            node["inputs"][field] = value
        else:
            continue
        damaged.add(f"{index}")
    graph["p"] = n("Picture")
    graph |= {f"o{id}": n("Show", value=(id, 0)) for id in list(graph)}
    if damaged:
        found = faults(graph)
        assert {fault.node for fault in found} == damaged and all(fault.outputs for fault in found)
    else:
        assert check(graph).faults == ()


@given(
    st.dictionaries(
        st.sampled_from("abcdef"),
        st.fixed_dictionaries({
            "class_type": st.sampled_from([spec.type for spec in WORDS] + ["?"]),
            "inputs": st.dictionaries(
                st.sampled_from(["value", "a", "b", "x", "image", "which", "u", "any", "l"]),
                st.tuples(st.sampled_from("abcdefg"), st.integers(-1, 1)).map(list)
                | st.integers() | st.floats() | st.text() | st.none() | st.lists(st.integers(), max_size=2),
                max_size=4,
            ),
        }),
        min_size=1,
    ),
    st.booleans(),
)  # fmt: skip
def test_any_graph_is_valid_or_says_why(graph: dict[str, Any], partial: bool):
    try:
        bound = check(graph, partial=partial)
    except WorkflowError as error:
        assert str(error)
        return
    for node in bound.nodes.values():
        assert all(link.node in bound.nodes for link in node.links.values())
    assert set(bound.targets) <= bound.nodes.keys()
