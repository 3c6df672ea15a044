"""Hooks get the inputs that they name; validate functions see linked values too."""

from typing import Annotated, Any

import pytest

from engine.errors import FileError, InputError, NodeFailure
from engine.hooks import call_hook
from engine.node import OptionalInput
from engine.types import Anything
from tests.engine.words import Vocabulary, engine, n


def test_a_hook_gets_what_it_names():
    assert call_hook(lambda a, b: (a, b), {"a": 1, "c": 3}) == (1, None)
    assert call_hook(lambda **known: known, {"a": 1}) == {"a": 1}


def odd(value: Any) -> str | None:
    if value == 13:
        raise FileError("13 is no file.", hint="Use another.")
    return None if value % 2 else f"{value} is even."


def words(as_list: bool = False) -> Vocabulary:
    words = Vocabulary()

    if as_list:

        @words.registry.node("Odd", validate={"a": odd}, input_is_list=True)
        def odds(a: list[int]) -> int:
            words.calls.append(("Odd", tuple(a)))
            return sum(a)
    else:

        @words.registry.node("Odd", validate={"a": odd})
        def one(a: int, b: Annotated[int, OptionalInput()] = 0) -> int:
            words.calls.append(("Odd", a))
            return a

        @words.registry.node("OddAsync", validate={"a": odd})
        async def later(a: int) -> int:
            words.calls.append(("Odd", a))
            return a

    @words.registry.node("Any")
    def any_(value: str) -> Anything:
        return None

    return words


@pytest.mark.parametrize("type", ["Odd", "OddAsync"])
def test_a_linked_value_is_seen_before_the_call(type: str):
    vocabulary = words()
    graph = {"1": n("Number", value=4), "2": n(type, a=("1", 0)), "3": n("Show", value=("2", 0))}
    with engine(vocabulary) as e:
        with pytest.raises(InputError, match=r"Input a: 4 is even\.") as caught:
            e.run(graph)
        assert (caught.value.node, caught.value.class_type, caught.value.input) == ("2", type, "a")
        assert caught.value.got == "4" and caught.value.hint and vocabulary.called("Odd") == []
        with pytest.raises(FileError, match="13 is no file") as other:
            e.run(graph, {"1.value": 13})
        assert (other.value.node, other.value.input) == ("2", "a")
        assert e.run(graph, {"1.value": 5}).outputs["3"].notes == {"text": ["5"]}


def test_each_value_of_a_list_is_seen():
    graph = {"1": n("Range", count=2), "2": n("Odd", a=("1", 0)), "3": n("Show", value=("2", 0))}
    for as_list in (False, True):
        with engine(words(as_list)) as e, pytest.raises(InputError, match="0 is even"):
            e.run(graph)


def test_only_the_inputs_that_it_is_for():
    graph = {"1": n("Number", value=4), "2": n("Odd", a=1, b=("1", 0)), "3": n("Show", value=("2", 0))}
    with engine(words()) as e:
        assert e.run(graph).outputs["3"].notes == {"text": ["1"]}


def test_a_check_that_fails_on_what_came_is_told_with_its_node():
    graph = {"1": n("Any", value=""), "2": n("Odd", a=("1", 0)), "3": n("Show", value=("2", 0))}
    with engine(words()) as e, pytest.raises(NodeFailure, match="TypeError") as caught:
        e.run(graph)
    assert caught.value.node == "2"
