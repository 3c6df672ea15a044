import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import FileError, InputError, SettingError
from server.batch.axes import Axis, combine, parse_axis
from server.batch.rows import Row


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=1,2,3", [1, 2, 3]),
        ("a=1..5", [1, 2, 3, 4, 5]),
        ("a=5..1..2", [5, 3, 1]),
        ("a=-2..2..2", [-2, 0, 2]),
        ("a=7..7", [7]),
        ("a=0..1..0.25", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("a=0.1..0.3..0.1", [0.1, 0.2, 0.3]),
        ("a=1..0..0.5", [1.0, 0.5, 0.0]),
        ("a=euler,dpmpp_2m", ["euler", "dpmpp_2m"]),
        ('a="one, two",three', ["one, two", "three"]),
        ("a=007", ["007"]),
        ('a=["x", 2, null]', ["x", 2, None]),
        ("a=b=c,d", ["b=c", "d"]),
        ("5.seed=3", [3]),
    ],
)
def test_values(text, values):
    axis = parse_axis(text)
    assert list(axis.values) == values
    assert [type(value) for value in axis.values] == [type(value) for value in values]


@given(st.lists(st.text() | st.integers(), min_size=1))
def test_json_lists_come_through(values):
    assert parse_axis("a=" + json.dumps(values)).values == values


def test_a_file_gives_a_value_a_line(tmp_path):
    (tmp_path / "prompts.txt").write_text("a fox, running\n\n  \na hare\n")
    assert parse_axis(f"p=@{tmp_path / 'prompts.txt'}") == Axis("p", ["a fox, running", "a hare"])
    with pytest.raises(FileError, match="can't be read"):
        parse_axis(f"p=@{tmp_path / 'none.txt'}")


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "=1",
        "a=",
        "a=1..2..0",
        "a=[1",
        "a=" + "[" * 100_000,
        "a=1\n2",
        "a=0..1..0.0000001",
        "a=0..1000000",
        f"a=-{2**70}..0",
        "a=0..1" + "0" * 50_000,
    ],
)
def test_what_is_no_axis(text):
    with pytest.raises(SettingError):
        parse_axis(text)


def values(rows):
    return [tuple(row.values.values()) for row in rows]


def test_rows_are_outermost_then_zipped_axes_then_the_grid():
    rows = [Row({"r": 1}), Row({"r": 2})]
    zipped = [Axis("a", [1, 2]), Axis("b", "xy")]
    found = combine(rows, zipped, [Axis("c", [7, 8])])
    assert values(found) == [
        (1, 1, "x", 7), (1, 1, "x", 8), (1, 2, "y", 7), (1, 2, "y", 8),
        (2, 1, "x", 7), (2, 1, "x", 8), (2, 2, "y", 7), (2, 2, "y", 8),
    ]  # fmt: skip


def test_a_row_with_a_fault_keeps_its_place():
    fault = InputError("no")
    found = list(combine([Row({"r": 1}), Row({}, "line 3", fault)], [], [Axis("c", [1, 2])]))
    assert [(row.origin, row.fault) for row in found] == [("", None)] * 2 + [("line 3", fault)] * 2


@pytest.mark.parametrize(
    ("rows", "zipped", "grid", "why"),
    [
        ([Row({"a": 1})], [], [Axis("a", [1])], "a has values twice"),
        ([Row({})], [Axis("a", [1])], [Axis("a", [1])], "a has values twice"),
        ([Row({})], [Axis("a", [1]), Axis("b", [1, 2])], [], "differ in length"),
        ([Row({})], [], [Axis("a", range(10**6)), Axis("b", range(10**6))], "1,000,000,000,000 rows"),
        ([Row({})], [], [Axis(str(name), range(10**6)) for name in range(800)], "more than 1,000.* rows"),
        ([Row({str(name): 1 for name in range(30)})], [], [Axis("a", range(10**6))], "31,000,000 values"),
    ],
)
def test_what_can_not_be_combined(rows, zipped, grid, why):
    with pytest.raises(SettingError, match=why):
        next(combine(rows, zipped, grid))


def test_an_axis_without_values():
    for zipped, grid in (([Axis("a", [])], []), ([], [Axis("a", [])])):
        with pytest.raises(SettingError, match="a has no values"):
            list(combine([Row({})], zipped, grid))
