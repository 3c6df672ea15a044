"""A small vocabulary for tests of the engine, and what is needed to run it and to see what ran."""

import asyncio
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from engine import Engine, Folders, Registry
from engine.context import Context
from engine.events import Event, NodeFinished, NodeStarted, Remembered
from engine.node import Artifact, Block, Expanded, Field, Files, Hidden, Lazy, LinkTo, OptionalInput, Shown
from engine.types import Anything

Word = Mapping[str, Any]


class Divided(NamedTuple):
    quotient: int
    remainder: int


class Vocabulary:
    """Node types whose calls are counted."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.calls: list[tuple[str, Any]] = []
        self.gate = threading.Event()
        node = self.registry.node

        @node("Number")
        def number(value: int) -> int:
            self.calls.append(("Number", value))
            return value

        @node("Add")
        def add(a: int, b: int) -> int:
            self.calls.append(("Add", (a, b)))
            return a + b

        @node("Half")
        def half(a: int) -> int:
            self.calls.append(("Half", a))
            return a // 2

        @node("Divide")
        def divide(a: int, b: Annotated[int, Field(ge=1, le=100)]) -> Divided:
            return Divided(*divmod(a, b))

        @node("Show", output_node=True)
        def show(value: Anything) -> Shown[None]:
            self.calls.append(("Show", value))
            return Shown(None, notes={"text": [str(value)]})

        @node("Save", output_node=True)
        def save(text: str, prefix: Annotated[str, OptionalInput()] = "text") -> Shown[None]:
            self.calls.append(("Save", text))
            return Shown(None, files=(Artifact(text.encode(), prefix, ".txt"),))

        @node("Text")
        def text(value: str) -> str:
            return value

        @node("Range")
        def range_(count: Annotated[int, Field(ge=0)]) -> list[int]:
            return list(range(count))

        @node("Sum", input_is_list=True)
        def sum_(values: list[int]) -> int:
            self.calls.append(("Sum", tuple(values)))
            return sum(values)

        def which(condition: int, a: int | None, b: int | None) -> list[str]:
            return ["a"] if condition else ["b"]

        @node("Switch", lazy=which)
        def switch(condition: int, a: Annotated[int, Lazy()], b: Annotated[int, Lazy()]) -> int:
            self.calls.append(("Switch", condition))
            return a if condition else b

        @node("Gate")
        def gate(value: int, open: bool) -> int | Block:  # type: ignore[return]
            self.calls.append(("Gate", value))
            return value if open else Block("closed")

        @node("Wait", resource="io")
        def wait(seconds: float, tag: Annotated[int, OptionalInput()] = 0) -> int:
            time.sleep(seconds)
            return tag

        @node("Device", resource="gpu")
        def device(ctx: Context, seconds: float) -> str:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                ctx.progress(0, 1)
                time.sleep(0.005)
            return threading.current_thread().name

        @node("Sleep")
        async def sleep(seconds: float, tag: Annotated[int, OptionalInput()] = 0) -> int:
            await asyncio.sleep(seconds)
            return tag

        @node("Random", pure=False)
        def random() -> int:
            self.calls.append(("Random", None))
            return time.perf_counter_ns()

        @node("Fail")
        def fail(a: int) -> int:
            raise ValueError(f"no {a}")

        @node("Who")
        def who(id: Annotated[str, Hidden("UNIQUE_ID", in_key=True)]) -> str:
            return id

        @node("Double")
        def double(a: int, id: Annotated[str, Hidden("UNIQUE_ID")]) -> Expanded[int]:
            self.calls.append(("Double", a))
            inner = {f"{id}.1": {"class_type": "Add", "inputs": {"a": a, "b": a}}}
            return Expanded(inner, (LinkTo(f"{id}.1"),))

        @node("Circle")
        def circle(a: int, id: Annotated[str, Hidden("UNIQUE_ID")]) -> Expanded[int]:
            inner = {f"{id}.1": {"class_type": "Half", "inputs": {"a": [id, 0]}}}
            return Expanded(inner, (LinkTo(f"{id}.1"),))

        @node("Weights")
        def weights(ctx: Context, name: Annotated[str, Files("checkpoints")]) -> str:
            self.calls.append(("Weights", name))
            return ctx.fingerprint("checkpoints", name)

        @node("Handle")
        def handle(a: int) -> Anything:
            self.calls.append(("Handle", a))
            return threading.Lock()

        @node("Use")
        def use(handle: Anything, b: Annotated[int, OptionalInput()] = 0) -> int:
            self.calls.append(("Use", b))
            return b if handle.acquire(blocking=False) and handle.release() is None else -1

        @node("Mutate")
        def mutate(tensor: Anything) -> int:
            tensor.add_(1)
            return 1

        @node("Hold", resource="io")
        def hold(value: int) -> int:
            self.calls.append(("Hold", value))
            self.gate.wait(10)
            return value

    def called(self, type: str) -> list[Any]:
        """Return what the calls of a type got, in order."""
        return [got for name, got in self.calls if name == type]


def engine(words: Vocabulary, folder: Path | None = None, **options: Any) -> Engine:
    root = folder or Path("/nonexistent")
    folders = Folders(models=(root / "models",), input=root / "input", output=root / "output", temp=root / "temp")
    return Engine(words.registry, folders=folders, data=folder, **options)


def n(class_type: str, **inputs: Any) -> dict[str, Any]:
    """Return a node. A tuple is a link."""
    linked = {name: list(value) if isinstance(value, tuple) else value for name, value in inputs.items()}
    return {"class_type": class_type, "inputs": linked}


def ran(events: list[Event]) -> list[str]:
    """Return the ids of the nodes that ran, in the order in which they finished."""
    return [event.node for event in events if isinstance(event, NodeFinished)]


def remembered(events: list[Event]) -> set[str]:
    return {event.node for event in events if isinstance(event, Remembered)}


def whys(events: list[Event]) -> dict[str, str]:
    return {event.node: event.why for event in events if isinstance(event, NodeStarted)}


def recorded(engine: Engine, graph: Word, **options: Any) -> tuple[Any, list[Event]]:
    """Run a graph and return the result and every event."""
    events: list[Event] = []
    return engine.run(graph, on_event=events.append, **options), events


GROWN = {"1": n("Number", value=6), "g": n("Grow", a=("1", 0)), "o": n("Show", value=("g", 0))}


def expanding(graph: dict[str, Any], *result: Any, into: Vocabulary | None = None) -> Vocabulary:
    """Return a vocabulary where Grow expands into this graph."""
    words = into or Vocabulary()

    @words.registry.node("Grow")
    def grow(a: int) -> Expanded[int]:
        words.calls.append(("Grow", a))
        return Expanded(graph, result)

    return words
