"""A vocabulary with inputs of every kind, and what checks a graph against it."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from engine import Folders, Registry
from engine.errors import Fault, ValidationError
from engine.graph import read_graph
from engine.node import Field, Files, InputFile, Lazy, Mentions, OptionalInput, Shown
from engine.types import Anything, Image, Mask
from engine.validate import BoundGraph, validate
from tests.engine.words import n


def words() -> Registry:
    registry = Registry()
    node = registry.node

    @node("Number")
    def number(value: Annotated[int, Field(ge=-10, le=10**30)]) -> int: ...

    @node("Values")
    def values(
        i: Annotated[int, OptionalInput()] = 1,
        f: Annotated[float, OptionalInput(), Field(ge=-1, le=1e9)] = 0,
        s: Annotated[str, OptionalInput()] = "",
        b: Annotated[bool, OptionalInput()] = False,
        c: Annotated[Literal["red", "green", "dark green"], OptionalInput()] = "red",
        l: Annotated[list[int], OptionalInput()] = [],  # noqa: B006
        any: Annotated[Anything, OptionalInput()] = None,
        u: Annotated[int | float, OptionalInput()] = 0,
        t: Annotated[bool | str, OptionalInput()] = "",
        ul: Annotated[int | list[int], OptionalInput()] = 0,
        n: int | None = None,
    ) -> int: ...

    @node("Says")
    def says(text: Annotated[str, Mentions("embeddings", r"e:(\S+)")]) -> int: ...

    @node("Join")
    def join(a: int, b: int) -> int: ...

    @node("Picture")
    def picture() -> Image: ...

    @node("Both")
    def both(x: Image | Mask) -> Image: ...

    @node("Load")
    def load(name: Annotated[str, Files("checkpoints")]) -> Image: ...

    @node("LoadImage")
    def load_image(image: Annotated[str, InputFile()]) -> Image: ...

    @node("Even", validate={"a": lambda a: f"{a} is odd" if a % 2 else None, "b": lambda b: 1 // b and None})
    def even(a: int, b: Annotated[int, OptionalInput()] = 1) -> int: ...

    @node("Switch", lazy=lambda which: ["a" if which else "b"])
    def switch(which: bool, a: Annotated[int, Lazy()], b: Annotated[int, Lazy()]) -> int: ...

    @node("Show", output_node=True)
    def show(value: Anything) -> Shown[None]: ...

    @node("Save", output_node=True)
    def save(image: Image) -> Shown[None]: ...

    return registry


WORDS = words()


FOLDERS = Folders(models=(Path("/nonexistent/models"),), input=Path("/nonexistent/input"))


def check(graph: dict[str, Any], folders: Folders = FOLDERS, **options: Any) -> BoundGraph:
    return validate(read_graph(graph), WORDS, folders, **options)


def faults(graph: dict[str, Any], folders: Folders = FOLDERS, **options: Any) -> tuple[Fault, ...]:
    with pytest.raises(ValidationError) as caught:
        check(graph, folders, **options)
    return caught.value.faults


def fault_of(class_type: str, **inputs: Any) -> Fault:
    """Return the one fault of node 1 in a graph where everything else is right."""
    graph = {"1": n(class_type, **inputs), "p": n("Picture"), "i": n("Number", value=1), "o": n("Show", value=("1", 0))}
    (fault,) = faults(graph)
    assert (fault.node, fault.outputs) == ("1", ("o",)) and fault.hint
    return fault


def literal(name: str, value: Any) -> Any:
    return check({"1": n("Values", **{name: value}), "o": n("Show", value=("1", 0))}).nodes["1"].literals[name]
