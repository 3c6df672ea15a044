"""What each kind of annotation says, and what a wrong definition is told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, TypedDict, Unpack

import pytest

from engine import Registry
from engine.context import Context
from engine.errors import DefinitionError
from engine.node import (
    NO_DEFAULT,
    Block,
    Expanded,
    Field,
    Files,
    Hidden,
    InputFile,
    Lazy,
    Mentions,
    NodeSpec,
    OptionalInput,
    Shown,
    Slot,
    Widget,
)
from engine.types import Anything, Image, Mask
from engine.values import wire


@wire("SignatureTestShape")
@dataclass(frozen=True)
class Shape:
    sides: int


class Pair(NamedTuple):
    image: Image
    masks: list[Mask]


class One(NamedTuple):
    text: str


class Unhinted:
    pass


def spec(function: Callable[..., Any], **options: Any) -> NodeSpec:
    registry = Registry()
    assert registry.node("X", **options)(function) is function
    return registry["X"]


def port(hint: Any, default: Any = NO_DEFAULT, **options: Any) -> Any:
    """Return the port of a node whose one input has this annotation."""

    def function(x) -> int: ...

    function.__annotations__["x"] = hint
    function.__defaults__ = None if default is NO_DEFAULT else (default,)
    return spec(function, **options).ports["x"]


@pytest.mark.parametrize(
    ("hint", "type"),
    [
        (int, "INT"),
        (float, "FLOAT"),
        (str, "STRING"),
        (bool, "BOOLEAN"),
        (list[int], "LIST"),
        (list, "LIST"),
        (Image, "IMAGE"),
        (Anything, "*"),
        (Shape, "SignatureTestShape"),
        (int | float, "INT,FLOAT"),
        (Image | Mask, "IMAGE,MASK"),
        (Literal["a", "b"], "COMBO"),
        (Annotated[str, Files("vae")], "COMBO"),
        (Annotated[str, InputFile()], "COMBO"),
        (Annotated[int, Field(ge=1), Widget(step=2)], "INT"),
    ],
)
def test_an_annotation_is_a_type(hint: Any, type: str):
    found = port(hint)
    assert (found.name, found.type, found.required, found.default) == ("x", type, True, NO_DEFAULT)


def test_bounds_of_a_whole_number_may_be_open():
    found = port(Annotated[int, Field(ge=0, lt=2**64)], 5)
    assert (found.minimum, found.maximum, found.default) == (0, 2**64 - 1, 5)
    assert port(Annotated[int, Field(gt=0)]).minimum == 1 and port(Annotated[int, Field(le=9)]).maximum == 9
    found = port(Annotated[float, Field(ge=-0.5, le=1.5)])
    assert (found.minimum, found.maximum) == (-0.5, 1.5)


def test_a_default_has_the_type_that_a_literal_is_cast_to():
    assert type(port(float, 1).default) is float and type(port(int, 1).default) is int


def test_choices():
    assert port(Literal["a", "b"], "b").choices == ("a", "b")
    assert port(Annotated[str, Files("loras")]).choices == Files("loras")
    assert port(Annotated[str, Files("loras")]).files == Files("loras")
    assert port(Annotated[str, InputFile((".txt",))]).files == InputFile((".txt",))
    mentions = Mentions("embeddings", r"embedding:(\S+)")
    found = port(Annotated[str, mentions])
    assert (found.type, found.choices, found.files) == ("STRING", None, mentions)


@pytest.mark.parametrize("hint", [int | None, Annotated[int, Field(ge=0)] | None, Annotated[int | None, Field(ge=0)]])
def test_an_input_that_may_be_none_is_optional(hint: Any):
    found = port(hint, None)
    assert (found.type, found.required, found.default) == ("INT", False, None)


def test_an_optional_input_with_another_default():
    found = port(Annotated[int, OptionalInput()], 3)
    assert (found.required, found.default) == (False, 3)


def test_what_editors_are_told():
    found = port(Annotated[str, Widget(multiline=True), Field(description="a prompt")], "x")
    assert found.options == {"multiline": True, "tooltip": "a prompt"}


Dotted = TypedDict("Dotted", {"out.": Annotated[float, Field(1, ge=0), Widget(step=0.1)], "in.": int})


def test_inputs_whose_names_no_parameter_can_have():
    def function(x: int, **inputs: Unpack[Dotted]) -> int: ...

    found = spec(function)
    assert [each.name for each in found.inputs] == ["x", "out.", "in."]
    out = found.ports["out."]
    assert (out.type, out.default, out.minimum, out.options) == ("FLOAT", 1.0, 0, {"step": 0.1})
    assert found.ports["in."].default is NO_DEFAULT


def test_lazy_hidden_and_context_are_no_ordinary_inputs():
    def function(
        ctx: Context, a: Annotated[int, Lazy()], id: Annotated[str, Hidden("UNIQUE_ID", in_key=True)]
    ) -> Image: ...

    found = spec(function, lazy=lambda a: ["a"])
    assert [each.name for each in found.inputs] == ["a"] and found.ports["a"].lazy
    assert found.hidden == {"id": Hidden("UNIQUE_ID", in_key=True)} and found.context == "ctx"


def test_a_list_node_says_what_is_in_its_lists():
    found = port(list[Annotated[int, Field(ge=2)]], input_is_list=True)
    assert (found.type, found.minimum) == ("INT", 2)
    assert port(list[int], [4], input_is_list=True).default == 4
    found = port(list[Image] | None, None, input_is_list=True)
    assert (found.type, found.required) == ("IMAGE", False)


def test_outputs():
    def outputs(hint: Any) -> tuple[Slot, ...]:
        def function() -> None: ...

        function.__annotations__["return"] = hint
        return spec(function).outputs

    assert outputs(None) == () and outputs(Shown[None]) == ()
    assert outputs(int) == (Slot("INT", "INT"),)
    assert outputs(list[int]) == (Slot("INT", "INT", True),)
    assert outputs(list[Image]) == (Slot("IMAGE", "IMAGE", True),)
    assert outputs(Pair) == (Slot("image", "IMAGE"), Slot("masks", "MASK", True))
    assert outputs(Shown[Pair]) == outputs(Expanded[Pair]) == outputs(Pair)
    assert outputs(One) == (Slot("text", "STRING"),)
    assert outputs(int | Block) == outputs(int | None) == outputs(int)
    assert outputs(Pair | Expanded[Pair]) == outputs(Pair)
    assert outputs(int | str) == (Slot("INT,STRING", "INT,STRING"),)


def test_what_the_decorator_and_the_function_say():
    async def function(a: int) -> int:
        """Add nothing.

        Nothing at all.
        """
        return a

    found = spec(function, category="math", version=3, resource="io", numeric=True, pure=False, deprecated=True)
    assert found.description == "Add nothing.\n\nNothing at all." and found.is_async
    assert (found.category, found.version, found.resource, found.numeric, found.pure) == ("math", 3, "io", True, False)
    assert (found.display_name, found.flags, found.output_node) == ("X", {"deprecated": True}, False)
    assert found.function is function


def no_hint(x) -> int: ...
def no_return(x: int): ...
def unknown(x: Unhinted) -> int: ...
def unknown_return(x: int) -> Unhinted: ...
def unreadable(x: "Nowhere") -> int: ...  # noqa: F821
def starred(*x: int) -> int: ...
def keywords(**x: int) -> int: ...
def positional(x: int, /) -> int: ...
def low(x: Annotated[int, Field(ge=1)] = 0) -> int: ...
def high(x: Annotated[float, Field(le=1)] = 2) -> int: ...
def no_choice(x: Literal["a", "b"] = "c") -> int: ...  # type: ignore[assignment]
def numbers(x: Literal[1, 2]) -> int: ...
def optional(x: int | None) -> int: ...
def marked_optional(x: Annotated[int, OptionalInput()]) -> int: ...
def text_default(x: int = "1") -> int: ...  # type: ignore[assignment]
def bool_default(x: int = True) -> int: ...
def int_default(x: bool = 1) -> int: ...  # type: ignore[assignment]
def none_default(x: int = None) -> int: ...  # noqa: RUF013
def nan_default(x: float = float("nan")) -> int: ...
def open_float(x: Annotated[float, Field(gt=0)]) -> int: ...
def multiple(x: Annotated[int, Field(multiple_of=8)]) -> int: ...
def bound_text(x: Annotated[str, Field(ge=1)]) -> int: ...
def lazy(x: Annotated[int, Lazy()]) -> int: ...
def plain(x: int) -> int: ...
def not_a_list(x: int) -> int: ...
def list_return(x: int) -> list[Unhinted]: ...
def prompt_in_key(x: Annotated[Any, Hidden("PROMPT", in_key=True)]) -> int: ...


@pytest.mark.parametrize(
    ("function", "options", "sentence", "hint"),
    [
        (no_hint, {}, "no type hint for 'x'", "x: int"),
        (no_return, {}, "return type is missing", "-> Image"),
        (unknown, {}, "neither a widget nor a socket", None),
        (unknown_return, {}, "'return' has a type that is neither", None),
        (list_return, {}, "'return' has a type that is neither", None),
        (unreadable, {}, "hint can't be read: name 'Nowhere'", "Import"),
        (starred, {}, r"\*x can't be an input", "Name each"),
        (keywords, {}, r"\*x can't be an input", "Name each"),
        (positional, {}, r"\*x can't be an input", "Name each"),
        (low, {}, "default of 'x' is out of bounds", None),
        (high, {}, "default of 'x' is out of bounds", None),
        (no_choice, {}, "default of 'x' is not a choice", None),
        (prompt_in_key, {}, "'x' can't be in the key", "pure=False"),
        (numbers, {}, "a choice of 'x' is no text", "Literal"),
        (optional, {}, "may be left out and has no default", "= None"),
        (marked_optional, {}, "may be left out and has no default", "= None"),
        (text_default, {}, "default of 'x' is no INT", "of its type"),
        (bool_default, {}, "default of 'x' is no INT", "of its type"),
        (int_default, {}, "default of 'x' is no BOOLEAN", "of its type"),
        (none_default, {}, "default of 'x' is no INT", "None = None"),
        (nan_default, {}, "default of 'x' is no FLOAT", "of its type"),
        (open_float, {}, "'x' is FLOAT and can't be bound by Gt", "ge and le"),
        (multiple, {}, "'x' is INT and can't be bound by MultipleOf", "validate function"),
        (bound_text, {}, "'x' is STRING and can't be bound", "validate function"),
        (lazy, {}, "'x' is lazy, and nothing says when", "lazy=function"),
        (plain, {"lazy": lambda x: []}, "no input is lazy", "Lazy()"),
        (lazy, {"lazy": lambda y: []}, "its lazy function takes 'y', which is no input", "inputs of the node"),
        (plain, {"fingerprint": lambda y: 1}, "its fingerprint function takes 'y'", "inputs of the node"),
        (plain, {"validate": {"y": lambda y: None}}, "validate names 'y', which is no input", "Name an input"),
        (plain, {"version": 0}, "version is 0", "whole number"),
        (plain, {"version": ""}, "version is ''", "whole number"),
        (plain, {"version": 1.5}, "version is 1.5", "whole number"),
        (plain, {"resource": "tpu"}, "no resource 'tpu'", "one of these"),
        (plain, {"outputnode": True}, "'outputnode' is neither an option", "spelling"),
        (not_a_list, {"input_is_list": True}, "'x' is not a list", r"list\[...\]"),
    ],
)
def test_a_wrong_definition_fails_with_a_sentence_that_helps(
    function: Callable[..., Any], options: dict[str, Any], sentence: str, hint: str | None
):
    with pytest.raises(DefinitionError, match=sentence) as caught:
        spec(function, **options)
    assert str(caught.value).startswith(f"X (tests.engine.test_signature.{function.__name__})")
    assert caught.value.hint if hint else caught.value.expected
    if hint:
        assert hint.replace("\\", "") in str(caught.value.hint)
