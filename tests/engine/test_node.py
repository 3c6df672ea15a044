"""The registry and the decorator."""

import pytest

from engine import Registry
from engine.errors import DefinitionError
from engine.node import node, registry


def test_the_decorator_returns_the_function_unchanged():
    words = Registry()

    def add(a: int, b: int = 1) -> int:
        return a + b

    assert words.node("Add")(add) is add and add(1) == 2
    assert words["Add"].function is add


def test_a_registry_knows_what_it_holds():
    words = Registry()

    @words.node("B")
    def b() -> None: ...

    @words.node("A", display_name="An A")
    def a() -> None: ...

    assert "A" in words and "C" not in words
    assert [spec.type for spec in words] == ["B", "A"] and words["A"].display_name == "An A"


def test_a_name_that_is_taken_is_refused_and_the_first_stays():
    words = Registry()

    @words.node("A")
    def first() -> None: ...

    with pytest.raises(DefinitionError, match="'A' is defined twice") as caught:

        @words.node("A")
        def second() -> None: ...

    assert caught.value.hint and words["A"].function is first


def test_the_module_has_one_registry_for_everyone():
    assert node.__self__ is registry  # type: ignore[attr-defined]
