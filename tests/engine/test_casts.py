"""How literals become values, and which can not."""

import math
from typing import Any

import pytest

from tests.engine.checking import fault_of, literal


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("i", "two"), ("i", "1.5"), ("i", {}), ("i", None), ("i", math.nan), ("i", math.inf), ("i", "9" * 5000),
        ("f", "x"), ("f", math.nan), ("f", -math.inf), ("f", "nan"), ("f", "inf"),
        ("f", 10**400), ("f", {"__value__": 10**5000}),
        ("b", "yes"), ("b", {}), ("b", math.nan), ("s", {}), ("s", math.nan), ("s", {"__value__": 10**5000}), ("c", {}),
        ("l", 5), ("l", {"__value__": 5}), ("l", [math.nan]), ("l", [[{"a": [math.inf]}]]), ("any", math.nan),
        ("any", {"a": [math.nan]}), ("u", "x"), ("u", math.nan), ("t", {}),
    ],
)  # fmt: skip
def test_a_value_of_another_type(name: str, value: Any):
    fault = fault_of("Values", **{name: value})
    assert (fault.code, fault.input) == ("invalid_input_type", name) and fault.expected


def test_a_wrong_value_is_shown_as_the_file_has_it():
    assert "input i: 'two' is no INT." in fault_of("Values", i="two").message
    assert "input i: {'a': 1} is no INT." in fault_of("Values", i={"a": 1}).message
    null = fault_of("Values", f=None)
    assert "input f: null is no FLOAT." in null.message and "NaN" in str(null.hint)


def test_a_value_that_nests_too_deep():
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]
    assert "too deep" in fault_of("Values", any=deep).message
    assert fault_of("Values", l={"__value__": deep}).code == "invalid_input_type"
    assert fault_of("Values", i={"a": deep}).code == "invalid_input_type"


def test_a_value_out_of_range():
    fault = fault_of("Number", value=-11)
    assert (fault.code, fault.got, fault.expected) == ("value_smaller_than_min", "-11", "at least -10")
    fault = fault_of("Number", value=10**31)
    assert (fault.code, fault.expected) == ("value_bigger_than_max", f"at most {10**30}")
    assert fault_of("Number", value=10**5000).code == "value_bigger_than_max"
    assert fault_of("Values", f=-1.01).code == "value_smaller_than_min"


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("i", "20", 20), ("i", 2.9, 2), ("i", -2.9, -2), ("i", True, 1), ("i", 10**100, 10**100), ("i", " 7 ", 7),
        ("i", -0.0, 0), ("f", 1, 1.0), ("f", "1e3", 1000.0), ("f", True, 1.0), ("s", 5, "5"), ("s", 1.5, "1.5"),
        ("s", True, "True"), ("b", 0, False), ("b", 2, True), ("b", "false", False), ("b", "True", True),
        ("c", "green", "green"), ("l", [], []), ("l", [1, 2, 3], [1, 2, 3]), ("l", ["no", 0], ["no", 0]),
        ("l", {"__value__": ["1", 0]}, ["1", 0]), ("i", {"__value__": "3"}, 3), ("any", {"a": [1]}, {"a": [1]}),
        ("any", ["no", 0], ["no", 0]), ("any", [1, 2, 3], [1, 2, 3]), ("any", True, True), ("u", 3, 3), ("u", 3.5, 3.5),
        ("u", "4", 4), ("u", "4.5", 4.5), ("t", True, True), ("t", "x", "x"), ("t", "true", "true"), ("t", 5, True),
        ("n", 3, 3),
    ],
)  # fmt: skip
def test_casts(name: str, value: Any, right: Any):
    found = literal(name, value)
    assert found == right and type(found) is type(right)
