"""What node classes say, as plain data."""

import json
from typing import Any

import pytest

from nodes.packs.describe import describe_input, describe_node, plain, token_name, type_name
from nodes.packs.facts import InputFacts


class Wild(str):
    def __ne__(self, other: object) -> bool:
        return False


@pytest.mark.parametrize(("kind", "name"), [
    ("IMAGE", "IMAGE"), ("INT,FLOAT", "INT,FLOAT"), ("*", "*"), (Wild("any"), "*"), (["a", "b"], "COMBO"), (7, "7"),
])  # fmt: skip
def test_the_name_of_a_type(kind: Any, name: str) -> None:
    assert type_name(kind) == name


@pytest.mark.parametrize(("declared", "facts"), [
    (("INT", {"default": 1, "min": 0}), InputFacts("x", "INT", True, options={"default": 1, "min": 0})),
    ((["a", 1, 1.5, True, None, "a"],), InputFacts("x", "COMBO", True, ("a", 1, 1.5, True, "None"))),
    (("COMBO", {"options": ["a"], "tooltip": "t"}), InputFacts("x", "COMBO", True, ("a",), options={"tooltip": "t"})),
    ("IMAGE", InputFacts("x", "IMAGE", True)),
    (("FLOAT", {"max": float("inf"), "f": len}), InputFacts("x", "FLOAT", True, options={"max": None, "f": str(len)})),
])  # fmt: skip
def test_an_entry_of_input_types(declared: Any, facts: InputFacts) -> None:
    assert describe_input("x", declared, True) == facts


def test_a_class_that_says_little_and_one_that_says_much() -> None:
    class Little:
        RETURN_TYPES = ("IMAGE",)
        FUNCTION = "go"

        @classmethod
        def INPUT_TYPES(cls) -> dict[str, Any]:
            return {}

        def go(self) -> None: ...

    class Much(Little):
        RETURN_TYPES = ("IMAGE", Wild("*"), ["a"])  # type: ignore[assignment]
        RETURN_NAMES = ("picture",)
        OUTPUT_IS_LIST = (False, True)
        NOT_IDEMPOTENT = True
        DEPRECATED = True

        @classmethod
        def INPUT_TYPES(cls) -> dict[str, Any]:
            return {"hidden": {"id": "UNIQUE_ID", "first": ("*",), "table": ({"a": 1},), "version": "2", "none": None}}

        async def go(self, **more: object) -> None: ...  # type: ignore[override]

    little, much = describe_node("Little", Little, "A little"), describe_node("Much", Much, "Much")
    assert (little.title, little.category, little.inputs, little.more, little.is_async) == (
        "A little",
        "sd",
        (),
        "",
        False,
    )
    assert [(each.name, each.type, each.is_list) for each in much.outputs] == [
        ("picture", "IMAGE", False),
        ("*", "*", True),
        ("COMBO", "COMBO", False),
    ]
    assert much.hidden == {"id": "UNIQUE_ID"}
    told = {each.name: each.hidden for each in much.inputs}
    assert told == {"first": ["*"], "table": [{"a": 1}], "version": "2", "none": ""}
    assert (much.more, much.is_async, much.is_unlike, much.flags) == ("links", True, True, {"deprecated": True})


def test_plain_values_are_json() -> None:
    class Text(str): ...

    value = plain({"a": (1, Text("b"), {"c"}), 2: float("nan"), "o": object})
    assert json.loads(json.dumps(value)) == value == {"a": [1, "b", ["c"]], "2": None, "o": str(object)}
    assert [type(each) for each in value["a"]] == [int, str, list] and token_name(("PROMPT",)) == "PROMPT"
