"""Graphs of trivial nodes. Every value is another text of 1,000 characters, so nothing is equal by chance."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

from engine import Engine, Folders
from engine.node import Registry, Shown

LENGTH = 1000
WIDTH = 10
Prompt = dict[str, dict[str, Any]]

registry = Registry()


@registry.node("Source")
def source(salt: int) -> str:
    """Give a text."""
    return _text(salt)


@registry.node("Step")
def step(text: str, salt: int) -> str:
    """Make another text of a text."""
    return _text(salt, text)


@registry.node("Join")
def join(left: str, right: str, salt: int) -> str:
    """Make one text of two."""
    return _text(salt, left, right)


@registry.node("Sink", output_node=True)
def sink(text: str, salt: int) -> Shown[None]:
    """Show where a text begins."""
    return Shown(None, notes={"text": [f"{text[:20]} {salt}"]})


def _text(salt: int, *above: str) -> str:
    """Return a text that changes with everything it is made of."""
    return " ".join([f"{salt:08d}", *(f"{crc32(text.encode()):010d}" for text in above)]).ljust(LENGTH, "x")


FUNCTIONS: Mapping[str, Callable[..., Any]] = {spec.type: spec.function for spec in registry}


class Drawing:
    """A graph being put together; node ids count up, and each node has its own salt."""

    def __init__(self) -> None:
        self.prompt: Prompt = {}

    def add(self, class_type: str, **links: str) -> str:
        """Add a node and return its id."""
        id = str(len(self.prompt))
        inputs: dict[str, Any] = {name: [node, 0] for name, node in links.items()}
        self.prompt[id] = {"class_type": class_type, "inputs": {**inputs, "salt": len(self.prompt)}}
        return id


def chain(size: int) -> Prompt:
    """Return a source, steps one after the other, and a sink."""
    drawing = Drawing()
    last = drawing.add("Source")
    for _ in range(size - 2):
        last = drawing.add("Step", text=last)
    drawing.add("Sink", text=last)
    return drawing.prompt


def fan(size: int) -> Prompt:
    """Return one source and steps that all read it, each with a sink of its own."""
    drawing = Drawing()
    first = drawing.add("Source")
    if size % 2 == 0:
        first = drawing.add("Step", text=first)
    for _ in range((size - 1) // 2):
        drawing.add("Sink", text=drawing.add("Step", text=first))
    return drawing.prompt


def layered(size: int) -> Prompt:
    """Return layers of nodes that each read two of the layer above, and a sink for each of the last."""
    drawing = Drawing()
    width = min(WIDTH, size // 5)
    layer = [drawing.add("Source") for _ in range(width)]
    while len(drawing.prompt) + 2 * width <= size:
        layer = [drawing.add("Join", left=layer[i], right=layer[(i + 1) % width]) for i in range(width)]
    for id in layer:
        drawing.add("Sink", text=id)
    return drawing.prompt


SHAPES: Mapping[str, Callable[[int], Prompt]] = {"chain": chain, "fan": fan, "layered": layered}


def edited(prompt: Prompt, id: str, salt: int) -> Prompt:
    """Return a graph with another salt in one node."""
    node = prompt[id]
    return {**prompt, id: {**node, "inputs": {**node["inputs"], "salt": salt}}}


def last(prompt: Prompt) -> str:
    """Return the id of the last sink."""
    return next(reversed(prompt))


def middle(prompt: Prompt) -> str:
    """Return the id of a node half way down that is no sink."""
    inner = [id for id, node in prompt.items() if node["class_type"] not in ("Source", "Sink")]
    return inner[len(inner) // 2] if inner else "0"


def open_engine(folder: Path) -> Engine:
    """Return an engine for these nodes whose store lies in a folder."""
    return Engine(registry, data=folder, folders=Folders(output=folder / "out"))
