"""Prompts with choices, file name prefixes, seeds: resolved once, the same for the same seed."""

import random

import pytest

from engine.dates import format_date
from engine.formats.dynamic import resolve_choices, without_comments
from tests.engine.formats.build import NOON, codes, converted, inputs_of, node, saved


def choose(text, seed=0):
    return resolve_choices(text, random.Random(seed))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat", "a cat"),
        ("a {cat}", "a cat"),
        ("(a:1.2) \\(b\\) \\{c\\|d\\}", "(a:1.2) \\(b\\) {c|d}"),
        ("a | b } c", "a | b } c"),
        ("{}x", "x"),
        ("{a", "a"),
        ("a // b\nc /* d\n e */f", "a \nc f"),
        ("a /* b", "a /* b"),
        ("a /* b // c\nd", "a /* b \nd"),
        ("/* a // b */c", "c"),
        ("https://x", "https:"),
    ],
)
def test_what_is_certain(text, expected):
    assert choose(text) == expected


def test_each_option_is_taken_and_nothing_else():
    assert {choose("{a|b|{c|d}|}!", seed) for seed in range(200)} == {"a!", "b!", "c!", "d!", "!"}


def test_deep_nesting_is_no_problem():
    assert choose("{" * 50_000 + "x" + "}" * 50_000) == "x"


def test_many_comments_that_never_close_take_linear_time():
    assert without_comments("/* " * 200_000) == "/* " * 200_000


def test_a_choice_depends_on_the_seed_and_is_recorded():
    nodes = [node(index, "Text", ["{a|b|c|d|e|f}"]) for index in range(20)]
    first, again, other = (converted(saved(nodes), seed=seed) for seed in (1, 1, 2))
    assert first.prompt == again.prompt != other.prompt
    assert {inputs_of(first, str(index))["text"] for index in range(20)} <= set("abcdef")
    assert codes(first) == ["dynamic_prompt"] * 20
    assert first.diagnostics[0].got == "{a|b|c|d|e|f}"


def test_only_inputs_that_are_declared_so_have_choices():
    assert inputs_of(converted(saved([node(1, "Recolor", ["{a|b}", 1, 2])])), "1")["prompt"] == "{a|b}"


def save(prefix, *others):
    return inputs_of(converted(saved([node(9, "SaveImage", [prefix]), *others])), "9")["filename_prefix"]


def test_dates():
    assert save("%date:yyyy-MM-dd%/%date:hhmmss%_x") == "2026-03-04/050607_x"
    assert format_date("d/M/yy h:m:s", NOON) == "4/3/26 5:6:7"


@pytest.mark.parametrize(
    ("prefix", "other", "expected"),
    [
        ("%Empty.width%", node(1, "Empty", [64, 32], properties={"Node name for S&R": "Empty"}), "64"),
        ("%Size.height%", node(1, "Empty", [64, 32.0], title="Size"), "32"),
        ("%T.text%", node(1, "Text", ['a/b:c*?"<>|\\d'], title="T"), "a_b_c_______d"),
        ("%P.value%", node(1, "PrimitiveNode", [7, "fixed"], title="P"), "7"),
        ("%M.width%", node(1, "Empty", [64, 32], title="M", mode=2), "64"),
        ("%width%x%height%", node(1, "Empty"), "%width%x%height%"),
        ("100%", node(1, "Empty"), "100%"),
    ],
)
def test_values_of_other_nodes(prefix, other, expected):
    assert save(prefix, other) == expected


@pytest.mark.parametrize("mark", ["%No.width%", "%Size.depth%", "%what%"])
def test_a_mark_that_names_nothing_stays_and_is_reported(mark):
    loaded = converted(saved([node(1, "Empty", [64, 32], title="Size"), node(9, "SaveImage", [f"a{mark}b"])]))
    assert inputs_of(loaded, "9")["filename_prefix"] == f"a{mark}b"
    assert [(item.code, item.node, item.got) for item in loaded.diagnostics] == [("unknown_mark", "9", mark)]


def test_texts_of_other_nodes_are_left_alone():
    assert inputs_of(converted(saved([node(1, "Text", ["%date:yyyy%"])])), "1")["text"] == "%date:yyyy%"


@pytest.mark.parametrize(("asks", "text"), [(True, "2026"), (False, "%date:yyyy%")])
def test_a_primitive_may_ask_for_replacement(asks, text):
    properties = {"Run widget replace on values": asks}
    nodes = [
        node(1, "PrimitiveNode", ["%date:yyyy%"], [], ["STRING"], properties=properties),
        node(2, "Text", ["x"], [("text", "STRING", 1, "text")]),
    ]
    assert inputs_of(converted(saved(nodes, [[1, 1, 0, 2, 0, "STRING"]])), "2")["text"] == text


def test_the_seed_node_of_rgthree():
    nodes = [node(1, "Seed (rgthree)", [-1, "", "", ""]), node(2, "Seed (rgthree)", [12, "", "", ""])]
    first, again = (converted(saved(nodes), seed=3) for _ in range(2))
    assert inputs_of(first, "1") == inputs_of(again, "1")
    assert 0 <= inputs_of(first, "1")["seed"] < 2**50
    assert inputs_of(first, "2") == {"seed": 12}
    assert [item.node for item in first.diagnostics if item.code == "random_seed"] == ["1"]
