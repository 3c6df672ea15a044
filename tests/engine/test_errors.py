"""What errors say, and how values are shown in them."""

import inspect

import pytest

from engine import errors
from engine.errors import Fault, LoomisError, ValidationError, listed, shortened

TREE = [each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, LoomisError)]


def test_every_kind_has_a_code_of_its_own_and_a_place_in_the_tree():
    assert len({kind.code for kind in TREE}) == len(TREE) > 10
    for kind in TREE:
        assert f"{kind.__name__}  " in f"{errors.__doc__}".replace("\n", "  ")


def test_plain_data_has_what_is_known():
    error = LoomisError("Too large.", node="3", got=[1, 2], hint="Make it smaller.")
    assert error.as_dict() == {
        "code": "error", "message": "Too large.", "node": "3", "got": "[1, 2]", "hint": "Make it smaller.",
    }  # fmt: skip


def test_the_first_fault_speaks_for_all():
    one, two = Fault("a", "One."), Fault("b", "Two.")
    assert str(ValidationError([one])) == "One."
    several = ValidationError([one, two])
    assert (str(several), several.faults) == ("One. (and 1 more)", (one, two))


@pytest.mark.parametrize(
    ("value", "shown"),
    [("text", "text"), (None, "None"), ({"a": 1}, "{'a': 1}")],
)
def test_a_value_is_shown(value: object, shown: str):
    assert shortened(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(["a", "b"], "a, b"), (("a",), "a"), ([], "[]"), ([1, 2], "[1, 2]"), (["1", 0], "['1', 0]"), ("a", "a")],
)
def test_texts_that_were_expected_have_commas_between_them(value: object, shown: str):
    error = LoomisError("No.", got=value, expected=value)
    assert (listed(value), error.as_dict()["got"], error.as_dict()["expected"]) == (shown,) * 3


def test_many_texts_are_cut():
    many = listed([f"{i}" * 1000 for i in range(100_000)])
    assert len(many) <= 200 and many.endswith("and 99960 more")


def test_a_number_that_python_writes_no_more():
    assert shortened(10**5000) == "int with too many digits to show"


def test_what_is_long_or_deep_is_cut_in_the_middle():
    assert shortened("a" * 100 + "b" * 100, 25) == "aaaaaaaaaa ... bbbbbbbbbb"
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert len(shortened(deep)) <= 200
    assert len(shortened([deep] * 1000)) <= 200
