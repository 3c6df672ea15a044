import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from nodes.strings import (
    case_converter,
    regex_extract,
    regex_match,
    regex_replace,
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


class TestRegex:
    def test_flags_say_what_a_pattern_finds(self):
        assert regex_match("A Cat", "cat").matches and not regex_match("A Cat", "cat", case_insensitive=False).matches
        assert regex_match("a\nb", "^b").matches is False and regex_match("a\nb", "^b", multiline=True).matches
        assert regex_match("a\nb", "a.b").matches is False and regex_match("a\nb", "a.b", dotall=True).matches

    @pytest.mark.parametrize(("mode", "group", "expected"), [
        ("First Match", 1, "a1"), ("All Matches", 1, "a1\nb2"), ("First Group", 2, "1"), ("All Groups", 1, "a\nb"),
        ("First Group", 0, "a1"), ("All Groups", 7, ""),
    ])  # fmt: skip
    def test_what_is_found_is_taken(self, mode, group, expected):
        assert regex_extract("a1 b2", r"([a-z])(\d)", mode=mode, group_index=group) == expected
        assert regex_extract("--", r"([a-z])(\d)", mode=mode, group_index=group) == ""

    def test_a_replacement_may_name_groups_and_stop(self):
        assert regex_replace("a1 b2", r"([a-z])(\d)", r"\2\1") == "1a 2b"
        assert regex_replace("a1 b2", r"\d", "", count=1) == "a b2"

    @pytest.mark.parametrize(("call", "input"), [
        (lambda: regex_match("a", "("), "regex_pattern"),
        (lambda: regex_replace("a", "a", r"\3"), "replace"),
    ])  # fmt: skip
    def test_what_is_no_pattern_is_told(self, call, input):
        with pytest.raises(InputError) as caught:
            call()
        assert caught.value.input == input and caught.value.got
