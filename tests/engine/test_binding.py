"""What one node lacks or links wrongly, and its literals and links when it is right."""

from typing import Any

import pytest

from engine.binding import compatible
from engine.graph import Link
from tests.engine.checking import check, fault_of, faults
from tests.engine.words import n


def test_an_unknown_type():
    fault = fault_of("Jion")
    assert (fault.code, fault.class_type, fault.got, fault.expected) == ("missing_node_type", "Jion", "Jion", "Join")
    packs = "If a node pack has it, name the folder of the pack with --custom-nodes."
    assert fault.hint == f"Did you mean Join? {packs}"
    strange = fault_of("Zzzzzzzzz")
    assert (strange.expected, strange.hint) == (None, f"Run `loomis nodes` for the list. {packs}")
    assert len(fault_of("x" * 100_000).message) < 400


def test_a_missing_input():
    fault = fault_of("Join", a=1)
    assert (fault.code, fault.input, fault.got, fault.expected) == (
        "required_input_missing", "b", None, "a value of type INT",
    )  # fmt: skip
    assert fault_of("Both").expected == "a link of type IMAGE,MASK"


@pytest.mark.parametrize(
    ("link", "said"),
    [
        (["1"], "the list is no link"),
        ([1, 2], "the list is no link"),
        (["p", 0, 0], "the list is no link"),
        (["gone", 0], "linked to node 'gone', which is not in the workflow"),
        (["p", 1], "node 'p' (Picture) has no output 1"),
        (["p", -1], "node 'p' (Picture) has no output -1"),
        (["p", 0.5], "node 'p' (Picture) has no output 0.5"),
        (["p", 10**400], "node 'p' (Picture) has no output"),
        (["p", 10**5000], "node 'p' (Picture) has no output"),
    ],
)
def test_a_bad_link(link: list[Any], said: str):
    fault = fault_of("Both", x=link)
    assert (fault.code, fault.input) == ("bad_linked_input", "x") and said in fault.message


def test_a_value_where_only_a_link_can_be():
    fault = fault_of("Both", x=5)
    assert (fault.code, fault.expected) == ("bad_linked_input", "a link to a IMAGE,MASK")


def test_a_link_of_another_type():
    fault = fault_of("Both", x=("i", 0))
    assert (fault.code, fault.input, fault.got, fault.expected) == ("return_type_mismatch", "x", "INT", "IMAGE,MASK")


def test_a_check_of_the_node_itself():
    fault = fault_of("Even", a=3)
    assert (fault.code, fault.input, fault.got) == (
        "custom_validation_failed",
        "a",
        "3",
    ) and "3 is odd" in fault.message


def test_a_check_that_fails_is_a_fault():
    fault = fault_of("Even", a=2, b=0)
    assert (fault.code, fault.input) == ("exception_during_validation", "b")
    assert "its check failed: ZeroDivisionError" in fault.message


def test_null_leaves_an_input_out_whose_default_is_none():
    bound = check({"1": n("Values", n=None, any=None), "o": n("Show", value=("1", 0))})
    assert "n" not in bound.nodes["1"].literals and "any" not in bound.nodes["1"].literals


def test_defaults_are_filled_in_and_unknown_inputs_left_out():
    bound = check({"1": n("Values", colour="red"), "o": n("Show", value=("1", 0))})
    assert bound.nodes["1"].literals == {
        "i": 1, "f": 0.0, "s": "", "b": False, "c": "red", "l": [], "u": 0, "t": "", "ul": 0,
    }  # fmt: skip


def test_a_list_is_a_link_or_a_value_by_the_declared_type():
    graph = {"1": n("Number", value=1), "2": n("Values", any=["1", 0], l=["x", 0]), "o": n("Show", value=("2", 0))}
    bound = check(graph)
    assert bound.nodes["2"].links == {"any": Link("1", 0)} and bound.nodes["2"].literals["l"] == ["x", 0]
    graph["2"] = n("Values", ul=["x", 0])
    assert check(graph).nodes["2"].literals["ul"] == ["x", 0]
    graph["2"] = n("Values", ul=["1", 0])
    assert check(graph).nodes["2"].links == {"ul": Link("1", 0)}
    graph["2"] = n("Values", l=["1", 0])
    assert [fault.code for fault in faults(graph)] == ["return_type_mismatch"]
    graph["2"] = n("Values", l={"__value__": ["1", 0]})
    assert check(graph).nodes["2"].literals["l"] == ["1", 0]


def test_a_link_may_be_a_tuple():
    graph = {"1": n("Number", value=1), "o": {"class_type": "Show", "inputs": {"value": ("1", 0)}}}
    assert check(graph).nodes["o"].links == {"value": Link("1", 0)}
    graph["2"] = {"class_type": "Join", "inputs": {"a": ("1", 0), "b": ("1", 0.0)}}
    assert check(graph).nodes["2"].links == {"a": Link("1", 0), "b": Link("1", 0)}


@pytest.mark.parametrize(
    ("given", "wanted", "fits"),
    [
        ("INT", "INT", True), ("INT", "FLOAT", False), ("*", "IMAGE", True), ("IMAGE", "*", True),
        ("IMAGE", "MASK,IMAGE", True), ("INT,MASK", "MASK", True), ("A,B", "C,D", False),
    ],
)  # fmt: skip
def test_which_outputs_fit(given: str, wanted: str, fits: bool):
    assert compatible(given, wanted) is fits
