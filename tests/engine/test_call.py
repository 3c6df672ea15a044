"""One call: what the function gets, what its return value means, and how its failures are told."""

import asyncio
import sys
from typing import Annotated, Any, NamedTuple

import numpy as np
import pytest
import torch

import nodes  # noqa: F401  (registers the codec of tensors)
from engine.errors import Cancelled, FileError, InputError, LoomisError, NodeFailure, OutOfMemory
from engine.events import Event
from engine.node import Hidden, Lazy, OptionalInput, Shown
from engine.types import Anything
from tests.engine.words import Vocabulary, engine, n, ran, recorded


class One(NamedTuple):
    only: int


class Two(NamedTuple):
    a: int
    b: list[int]


def wires(function: Any, options: Any = None, **inputs: Any) -> tuple[list[Any], ...]:
    """Return what a node of this function puts on its wires."""
    words = Vocabulary()
    words.registry.node("It", **(options or {}))(function)
    with engine(words) as e:
        return e.run({"1": n("Number", value=3), "it": n("It", **inputs)}, values=["it"]).values["it"]


def test_what_a_function_gets():
    got: list[dict[str, Any]] = []

    def function(
        a: int,
        b: int,
        id: Annotated[str, Hidden("UNIQUE_ID")],
        prompt: Annotated[Any, Hidden("PROMPT")],
        c: Annotated[int, OptionalInput()] = 9,
        d: int | None = None,
    ) -> int:
        got.append({"a": a, "b": b, "id": id, "prompt": prompt["it"]["class_type"], "c": c, "d": d})
        return 1

    wires(function, a=("1", 0), b="4")
    assert got == [{"a": 3, "b": 4, "id": "it", "prompt": "It", "c": 9, "d": None}]


def test_a_list_node_gets_lists():
    def function(a: list[int], b: list[int], c: list[int] | None = None) -> int:
        return sum(a) + sum(b) + (0 if c is None else 100)

    assert wires(function, {"input_is_list": True}, a=("1", 0), b=4) == ([7],)


def test_return_values():
    def one() -> int:
        return 5

    def listed() -> list[int]:
        return [1, 2]

    def named() -> One:
        return One(7)

    def bare() -> One:
        return 7  # type: ignore[return-value]

    def two() -> Two:
        return Two(1, [2, 3])

    def shown() -> Shown[Two]:
        return Shown(Two(1, []))

    def nothing() -> None:
        return None

    def empty() -> int | None:
        return None

    assert wires(one) == ([5],) and wires(listed) == ([1, 2],) and wires(named) == ([7],) and wires(bare) == ([7],)
    assert wires(two) == ([1], [2, 3]) and wires(shown) == ([1], []) and wires(nothing) == ()
    assert wires(empty) == ([None],)


def test_values_without_a_byte_form_in_one_list_are_told_apart():
    def function() -> list[Anything]:
        return [lambda: 1, lambda: 2, lambda: 3]

    words = Vocabulary()
    words.registry.node("It")(function)
    words.registry.node("Call")(lambda_call)
    with engine(words) as e:
        graph = {"it": n("It"), "2": n("Call", function=("it", 0))}
        assert e.run(graph, values=["2"]).values["2"] == ([1, 2, 3],)


def lambda_call(function: Anything) -> int:
    return int(function())


def test_a_wrong_number_of_outputs_is_the_nodes_error():
    def function() -> Two:
        return (1, [2], 3)  # type: ignore[return-value]

    with pytest.raises(InputError, match="gave 3 outputs") as caught:
        wires(function)
    assert (caught.value.node, caught.value.class_type, caught.value.expected) == ("it", "It", 2)


class OutOfMemoryError(Exception):
    """Named like the one of torch."""


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    ("failure", "told", "said"),
    [
        (ValueError("no"), NodeFailure, "It failed: ValueError: no"),
        (SystemExit(3), NodeFailure, "It failed: SystemExit: 3"),
        (RecursionError("deep"), NodeFailure, "RecursionError"),
        (MemoryError(), OutOfMemory, "Memory ran out in It"),
        (OutOfMemoryError("cuda"), OutOfMemory, "Memory ran out in It"),
        (FileError("The file is gone."), FileError, "The file is gone"),
        (Cancelled("enough"), Cancelled, "enough"),
    ],
)
def test_failures_name_the_node(failure: BaseException, told: type[LoomisError], said: str, is_async: bool):
    def function() -> int:
        raise failure

    async def function_async() -> int:
        raise failure

    with pytest.raises(told, match=said) as caught:
        wires(function_async if is_async else function)
    assert caught.value.node == "it"
    if told is Cancelled:
        assert caught.value.raised is None
    else:
        assert caught.value.raised and "raise failure" in caught.value.raised.traceback[0]


def test_a_failure_tells_what_the_node_was_called_with():
    def function(a: int, text: str, id: Annotated[str, Hidden("UNIQUE_ID")]) -> int:
        return a // 0

    with pytest.raises(NodeFailure, match="ZeroDivisionError") as caught:
        wires(function, a=("1", 0), text="a cat")
    assert caught.value.raised and caught.value.raised.inputs == {"a": ("3",), "text": ("a cat",)}
    assert "raised" not in caught.value.as_dict()


def test_a_coroutine_that_cancels_itself_ends_the_run():
    async def function() -> int:
        raise asyncio.CancelledError

    with pytest.raises(Cancelled):
        wires(function)


def test_sys_exit_on_a_lane_ends_the_run_and_not_the_process():
    def function() -> int:
        sys.exit("bye")

    with pytest.raises(NodeFailure, match="SystemExit: bye"):
        wires(function, {"resource": "gpu"})


def test_a_node_that_is_cancelled_from_inside_ends_the_run_on_any_lane():
    def function(a: int) -> int:
        raise asyncio.CancelledError

    with pytest.raises(Cancelled):
        wires(function, {"resource": "gpu"}, a=("1", 0))


def test_a_lazy_function_that_exits_ends_the_run():
    def function(a: Annotated[int, Lazy()]) -> int:
        return a

    with pytest.raises(NodeFailure, match="SystemExit"):
        wires(function, {"resource": "gpu", "lazy": lambda a: sys.exit("bye")}, a=("1", 0))


@pytest.mark.parametrize(
    ("lazy", "error", "said"),
    [
        (lambda a: 1 / 0, NodeFailure, "ZeroDivisionError"),
        (lambda a: None, NodeFailure, "TypeError"),
        (lambda a: ["b"], InputError, "lazy function asks for something that is no input"),
        (lambda a: "b", InputError, "no input"),
    ],
)
def test_a_lazy_function_that_fails_is_one_clear_error(lazy: Any, error: type[LoomisError], said: str):
    def function(a: Annotated[int, Lazy()]) -> int:
        return a

    with pytest.raises(error, match=said) as caught:
        wires(function, {"lazy": lazy}, a=("1", 0))
    assert (caught.value.node, caught.value.class_type) == ("it", "It")
    assert (caught.value.raised is None) == (error is InputError)


@pytest.mark.parametrize("fails", [lambda a: 1 / 0, lambda a: object(), lambda a: a.no])
def test_a_fingerprint_function_that_fails_is_one_clear_error(fails: Any):
    def function(a: int) -> int:
        return a

    words = Vocabulary()
    words.registry.node("It", fingerprint=fails)(function)
    events: list[Event] = []
    with engine(words) as e:
        for source in (5, ("1", 0), ("r", 0)):
            graph = {"1": n("Number", value=3), "r": n("Random"), "it": n("It", a=source)}
            with pytest.raises(LoomisError) as caught:
                e.run({**graph, "o": n("Show", value=("it", 0))}, on_event=events.append)
            assert caught.value.node == "it" and caught.value.class_type == "It"
            assert events[-1].error["node"] == "it"  # type: ignore[union-attr]


def test_a_fingerprint_function_gets_the_literals_and_none_for_links():
    got: list[Any] = []

    def mark(a: int | None, b: int) -> object:
        got.append((a, b))
        return 0

    def function(a: int, b: int) -> int:
        return a + b

    assert wires(function, {"fingerprint": mark}, a=("1", 0), b=2) == ([5],)
    assert set(got) == {(None, 2)}


def test_tensors_made_in_inference_mode_are_values():
    def function() -> Anything:
        with torch.inference_mode():
            return torch.ones(3) * 2

    words = Vocabulary()
    words.registry.node("It")(function)
    words.registry.node("Total")(total)
    with engine(words) as e:
        assert e.run({"it": n("It"), "2": n("Total", x=("it", 0))}, values=["2"]).values["2"] == ([6],)


def total(x: Anything) -> int:
    return int(x.sum())


def test_the_elements_of_a_fingerprint_that_is_an_array_count():
    seen = np.zeros(2)

    def function() -> float:
        return float(seen[0])

    words = Vocabulary()
    words.registry.node("It", fingerprint=lambda: seen)(function)
    with engine(words) as e:
        for number in (1.0, 2.0):
            seen[0] = number
            assert e.run({"it": n("It")}, values=["it"]).values["it"] == ([number],)


def test_a_fingerprint_that_is_nan_is_like_no_other():
    words = Vocabulary()

    @words.registry.node("Now", fingerprint=lambda a: float("nan"))
    def now(a: int) -> int:
        words.calls.append(("Now", a))
        return a

    with engine(words) as e:
        for _ in range(2):
            e.run({"1": n("Now", a=1), "o": n("Show", value=("1", 0))})
        assert words.called("Now") == [1, 1] and words.called("Show") == [1]


def switch(words: Vocabulary) -> None:
    @words.registry.node("Sel", lazy=lambda c, x, y: [] if c == 0 else ["x"] if c == 1 else ["y"])
    def sel(c: int, x: Annotated[int, Lazy()], y: Annotated[int, Lazy()]) -> int:
        words.calls.append(("Sel", (c, x, y)))
        return c


def test_calls_of_a_lazy_node_all_ask_before_one_is_made():
    words = Vocabulary()
    switch(words)
    graph = {
        "r": n("Range", count=3),
        "x": n("Number", value=10),
        "y": n("Number", value=20),
        "s": n("Sel", c=("r", 0), x=("x", 0), y=("y", 0)),
        "o": n("Show", value=("s", 0)),
    }
    with engine(words) as e:
        assert e.run(graph).outputs["o"].notes == {"text": ["0", "1", "2"]}
        assert words.called("Sel") == [(0, 10, 20), (1, 10, 20), (2, 10, 20)]
        assert ran(recorded(e, graph)[1]) == []


def test_an_impure_lazy_node_is_called_once_a_run():
    words = Vocabulary()

    @words.registry.node("Dice", pure=False, lazy=lambda a: ["a"])
    def dice(a: Annotated[int, Lazy()]) -> int:
        words.calls.append(("Dice", a))
        return a

    graph = {"1": n("Number", value=3), "d": n("Dice", a=("1", 0)), "o": n("Show", value=("d", 0))}
    with engine(words) as e:
        for _ in range(2):
            assert e.run(graph).outputs["o"].notes == {"text": ["3"]}
    assert words.called("Dice") == [3, 3]


def test_lazy_inputs_may_be_literals_or_missing():
    words = Vocabulary()

    @words.registry.node("Opt", lazy=lambda a, b: ["a", "b"])
    def opt(a: Annotated[int, Lazy()], b: Annotated[int | None, Lazy()] = None) -> int:
        return a if b is None else b

    with engine(words) as e:
        graph = {"1": n("Number", value=3), "2": n("Opt", a=7), "3": n("Opt", a=7, b=("1", 0))}
        assert e.run(graph, values=["2", "3"]).values == {"2": ([7],), "3": ([3],)}


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("wrapped", [lambda tensor: tensor, lambda tensor: {"a": [tensor]}])
def test_an_input_that_was_changed_in_place_is_made_again(wrapped: Any, is_async: bool):
    words = Vocabulary()

    @words.registry.node("Zeros")
    def zeros() -> Anything:
        words.calls.append(("Zeros", None))
        return wrapped(torch.zeros(2))

    def change(tensor: Any) -> None:
        (tensor["a"][0] if isinstance(tensor, dict) else tensor).add_(1)
        raise ValueError("and fails")

    @words.registry.node("Change")
    def change_it(tensor: Anything) -> int:
        change(tensor)
        return 1

    @words.registry.node("ChangeAsync")
    async def change_async(tensor: Anything) -> int:
        change(tensor)
        return 1

    with engine(words) as e:
        node = "ChangeAsync" if is_async else "Change"
        with pytest.raises(InputError, match="changed its input in place") as caught:
            e.run({"1": n("Zeros"), "2": n(node, tensor=("1", 0)), "3": n("Show", value=("2", 0))})
        assert (caught.value.node, caught.value.input) == ("2", "tensor")
        (again,) = e.run({"1": n("Zeros")}, values=["1"]).values["1"][0]
        assert (again["a"][0] if isinstance(again, dict) else again).tolist() == [0, 0]
        assert len(words.called("Zeros")) == 2


def test_an_array_that_was_given_can_not_be_changed():
    words = Vocabulary()

    @words.registry.node("Ones")
    def ones() -> Anything:
        return np.ones(3)

    @words.registry.node("Increase")
    def increase(array: Anything) -> Anything:
        array += 1
        return array

    with engine(words) as e, pytest.raises(NodeFailure, match="read-only"):
        e.run({"1": n("Ones"), "2": n("Increase", array=("1", 0)), "3": n("Show", value=("2", 0))})


def memory_of(value: Any) -> int:
    """Return the bytes of memory that an array or tensor keeps alive."""
    if isinstance(value, torch.Tensor):
        return value.untyped_storage().nbytes()
    while isinstance(value.base, np.ndarray):
        value = value.base
    return value.nbytes if value.base is None else memoryview(value.base).nbytes


@pytest.mark.parametrize("make", [np.zeros, lambda count: torch.zeros(count, dtype=torch.float64)])
@pytest.mark.parametrize(
    ("cut", "kept"),
    [
        (lambda values: values[:10], 80),
        (lambda values: [values[:10], values[10:20]], 160),
        (lambda values: values[::1000], 800),
        (lambda values: values, 800_000),
        (lambda values: values[1_000:], 800_000),
        (lambda values: values.reshape(1000, 100).T, 800_000),
    ],
)
def test_a_view_keeps_no_more_than_is_counted(make: Any, cut: Any, kept: int):
    words = Vocabulary()

    @words.registry.node("Cut")
    def cut_it(count: int) -> Anything:
        return cut(make(count))

    with engine(words) as e:
        (found,) = e.run({"1": n("Cut", count=100_000)}, targets=["1"], values=["1"]).values["1"][0]
        counted = e.store.stats().memory_nbytes
        assert sum(map(memory_of, found if isinstance(found, list) else [found])) == kept
        assert kept - 8_000 <= counted <= kept + 100
