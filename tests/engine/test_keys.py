"""Keys: what they cover, and what they don't."""

import math
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Folders, Registry
from engine.binding import BoundNode
from engine.graph import read_graph
from engine.keys import CallInputs, Static, calls, static_part
from engine.node import Field, Files, Hidden, Lazy, Mentions, OptionalInput
from engine.schema import FileSource
from engine.types import Anything
from engine.validate import validate
from engine.values import pack
from tests.engine.words import n

ONE, TWO, THREE = (pack(i).digest for i in (1, 2, 3))


def words(version: int = 1, **options: Any) -> Registry:
    registry = Registry()

    @registry.node("Any", version=version, **options)
    def any_(
        value: Annotated[Anything, OptionalInput()] = None,
        i: Annotated[int, OptionalInput()] = 1,
        f: Annotated[float, OptionalInput(), Field(ge=-1)] = 1,
        s: Annotated[str, OptionalInput()] = "",
        b: Annotated[bool, OptionalInput()] = True,
        c: Annotated[Literal["x", "y"], OptionalInput()] = "x",
    ) -> int: ...

    @registry.node("Other")
    def other(value: Annotated[Anything, OptionalInput()] = None) -> int: ...

    @registry.node("Numeric", numeric=True)
    def numeric(value: Annotated[Anything, OptionalInput()] = None) -> int: ...

    @registry.node("Who")
    def who(id: Annotated[str, Hidden("UNIQUE_ID", in_key=True)]) -> int: ...

    @registry.node("Told")
    def told(id: Annotated[str, Hidden("UNIQUE_ID")]) -> int: ...

    @registry.node("Impure", pure=False)
    def impure() -> int: ...

    @registry.node("Reads")
    def reads(
        name: Annotated[str, Mentions("embeddings", r"e:(\w+)"), OptionalInput()] = "",
        file: Annotated[str | None, Files("vae")] = None,
    ) -> int: ...

    @registry.node("Lists", input_is_list=True)
    def lists(a: list[int], b: list[int] | None = None) -> int: ...

    @registry.node("Two", lazy=lambda a: [])
    def two(a: int, b: Annotated[int | None, Lazy()] = None) -> int: ...

    return registry


def bound(class_type: str, registry: Registry | None = None, id: str = "1", **inputs: Any) -> BoundNode:
    graph = {id: n(class_type, **inputs), "s": n("Other")}
    return validate(read_graph(graph), registry or words(), Folders(), targets=[id]).nodes[id]


def no_files(source: FileSource, name: str) -> str:
    return ""


def static(class_type: str, profile: tuple[str, ...] = ("cpu",), **inputs: Any) -> bytes:
    return static_part(bound(class_type, **inputs), profile, no_files).data


def test_equal_inputs_are_one_key():
    assert static("Any") == static("Any", i=1, f=1.0, s="", b=True, c="x")
    assert static("Any", i="20", f="2", s=5) == static("Any", s="5", i=20.7, f=2)
    assert static("Any", f=True) == static("Any", b=1)
    assert static("Any", colour="unknown") == static("Any")
    assert static("Any", value={"a": 1, "b": 2}) == static("Any", value={"b": 2, "a": 1})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"i": 1}, {"i": 2}),
        ({"f": 0.0}, {"f": -0.0}),
        ({"s": "a"}, {"s": "a "}),
        ({"i": 2**64}, {"i": 2**64 + 1}),
        ({"i": -(2**63)}, {"i": -(2**63) - 1}),
        ({"value": 1}, {"value": 1.0}),
        ({"value": 1}, {"value": True}),
        ({"value": "1"}, {"value": 1}),
        ({"value": [1]}, {"value": [[1]]}),
        ({"value": []}, {"value": {}}),
        ({"value": ""}, {}),
        ({"value": [2**70]}, {"value": [2**70 + 1]}),
    ],
)
def test_other_values_are_other_keys(one: dict[str, Any], other: dict[str, Any]):
    assert static("Any", **one) != static("Any", **other)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(PLAIN, PLAIN)
def test_keys_differ_exactly_where_values_do(one: Any, other: Any):
    same = pack(one).digest == pack(other).digest
    assert (static("Any", value={"__value__": one}) == static("Any", value={"__value__": other})) is same


def test_type_and_version_and_ids():
    assert static("Any", value=1) != static("Other", value=1)
    parts = {static_part(bound("Any", words(version)), (), no_files).data for version in (1, 2)}
    assert len(parts) == 2
    assert static_part(bound("Told", id="1"), (), no_files) == static_part(bound("Told", id="2"), (), no_files)
    assert static_part(bound("Who", id="1"), (), no_files) != static_part(bound("Who", id="2"), (), no_files)


def test_the_profile_counts_for_numeric_nodes_only():
    assert static("Numeric", ("cpu",)) != static("Numeric", ("cuda",))
    assert static("Any", ("cpu",)) == static("Any", ("cuda",))


def test_files_count_by_their_content():
    def seen(content: str, name: str = "a") -> bytes:
        return static_part(bound("Reads", name=name), (), lambda source, name: content).data

    assert seen("one") == seen("one") != seen("two")
    assert seen("one", "a") != seen("one", "b")


def test_no_key_of_an_impure_node_is_like_another():
    part = static_part(bound("Impure"), (), no_files)
    assert (
        part.unique and calls(words()["Impure"], part, {}, {})[0].key != calls(words()["Impure"], part, {}, {})[0].key
    )


@pytest.mark.parametrize(("mark", "unique"), [(1, False), (math.nan, True), ([1], False), (None, False)])
def test_a_fingerprint_counts_and_nan_is_like_no_other(mark: object, unique: bool):
    part = static_part(bound("Any", words(fingerprint=lambda: mark)), (), no_files)
    assert part.unique is unique
    assert part.data != static_part(bound("Any", words(fingerprint=lambda: 2)), (), no_files).data


def test_a_lazy_input_that_is_linked_is_another_key_than_one_that_is_not():
    assert static("Two", a=1) != static("Two", a=1, b=("s", 0))
    assert static("Two", a=1, b=("s", 0)) != static("Two", a=1, b=2)


# Calls.

STATIC = Static(b"x")
SPEC, LISTS = words()["Any"], words()["Lists"]


def inputs(found: list[CallInputs]) -> list[dict[str, tuple[bytes, ...]]]:
    return [dict(call.inputs) for call in found]


def test_one_value_a_wire_is_one_call():
    assert inputs(calls(SPEC, STATIC, {}, {})) == [{}]
    assert inputs(calls(SPEC, STATIC, {"a": (ONE,), "b": (TWO,)}, {})) == [{"a": (ONE,), "b": (TWO,)}]


def test_the_shorter_wire_repeats_its_last_value():
    found = calls(SPEC, STATIC, {"a": (ONE, TWO, THREE), "b": (ONE, TWO)}, {})
    assert inputs(found) == [{"a": (ONE,), "b": (ONE,)}, {"a": (TWO,), "b": (TWO,)}, {"a": (THREE,), "b": (TWO,)}]


def test_a_wire_without_values_is_no_call():
    assert calls(SPEC, STATIC, {"a": (), "b": (ONE, TWO)}, {}) == ()
    assert calls(SPEC, STATIC, {"a": ()}, {}) == ()


def test_a_node_that_takes_lists_is_called_once():
    known = {"a": (ONE, TWO), "b": ()}
    assert inputs(calls(LISTS, STATIC, known, {})) == [known]


def test_the_call_of_a_list_has_the_key_of_the_same_call_alone():
    mapped = calls(SPEC, STATIC, {"a": (ONE, TWO), "b": (THREE,)}, {})
    alone = calls(SPEC, STATIC, {"b": (THREE,), "a": (TWO,)}, {})
    assert mapped[1].key == alone[0].key != mapped[0].key


def test_where_a_wire_ends_is_part_of_the_key():
    keys = {
        calls(LISTS, STATIC, known, {})[0].key
        for known in ({"a": (ONE, TWO)}, {"a": (ONE,), "b": (TWO,)}, {"a": (TWO, ONE)}, {"a": (ONE,)}, {"a": ()}, {})
    }
    assert len(keys) == 6


def test_linked_names_of_files_count_by_their_content():
    one, other = (calls(SPEC, STATIC, {"a": (ONE, TWO)}, {"a": marks}) for marks in ((b"1", b"2"), (b"1", b"3")))
    assert one[0].key == other[0].key and one[1].key != other[1].key


def test_it_counts_which_of_several_names_a_file_has():
    known = {"a": (ONE, TWO)}
    first, second = (calls(LISTS, STATIC, known, {"a": marks})[0].key for marks in ((b"x", b""), (b"", b"x")))
    assert first != second
