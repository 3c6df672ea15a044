import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.strings import (
    case_converter,
    string_compare,
    string_concatenate,
    string_contains,
    string_length,
    string_replace,
    string_substring,
    string_trim,
)


@given(st.text(), st.text(), st.text())
def test_joined_texts_can_be_taken_apart(a, b, delimiter):
    whole = string_concatenate(a, b, delimiter)
    assert string_substring(whole, 0, len(a)) == a
    assert string_length(whole).length == len(a) + len(b) + len(delimiter)
    assert string_contains(whole, b).contains


def test_places_from_the_end():
    assert string_substring("portrait", -3, -1) == "ai" and string_substring("a", 3, 9) == ""


@pytest.mark.parametrize(("mode", "expected"), [
    ("UPPERCASE", "A RED Cat".upper()), ("lowercase", "a red cat"), ("Capitalize", "A red cat"),
    ("Title Case", "A Red Cat"),
])  # fmt: skip
def test_case(mode, expected):
    assert case_converter("a RED Cat", mode=mode) == expected


@pytest.mark.parametrize(("mode", "expected"), [("Both", "a b"), ("Left", "a b \n"), ("Right", " \ta b")])
def test_trimming(mode, expected):
    assert string_trim(" \ta b \n", mode=mode) == expected


def test_replacing():
    assert string_replace("a cat and a cat", "cat", "dog") == "a dog and a dog"


@pytest.mark.parametrize(("mode", "other", "same"), [
    ("Starts With", "a Red", False), ("Starts With", "a RED", True), ("Ends With", "cat", True),
    ("Ends With", "Cat", False), ("Equal", "a RED cat", True), ("Equal", "a red cat", False),
])  # fmt: skip
def test_comparing(mode, other, same):
    assert string_compare("a RED cat", other, mode=mode) == same
    assert string_compare("a RED cat", other, mode=mode, case_sensitive=False)
    assert string_contains("a RED cat", other.upper(), case_sensitive=False).contains
