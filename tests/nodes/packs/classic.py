"""An engine with the nodes of a small pack of our own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine import Engine, events
from engine.folders import Folders
from engine.node import Registry
from engine.types import Anything, Image
from nodes.packs.opening import Opened, open_packs

PACKS = Path(__file__).parent / "packs"
HELPERS = Registry()


@HELPERS.node("Picture")
def picture() -> Image:
    """Return a white picture."""
    import torch

    return torch.ones(1, 2, 2, 3)


@HELPERS.node("Same")
def same(value: Anything) -> Anything:
    """Return what it gets."""
    return value


def folders(root: Path) -> Folders:
    return Folders((root / "models",), root / "input", root / "output", root / "temp")


@HELPERS.node("PrimitiveInt")
def number(value: int) -> int:
    """Return a number."""
    return value


@HELPERS.node("PrimitiveText")
def text(value: str) -> str:
    """Return a text."""
    return value


@HELPERS.node("Words")
def words(count: int) -> list[str]:
    """Return some words."""
    return [f"w{index}" for index in range(count)]


def opened(root: Path, pack: str) -> Opened:
    return open_packs([PACKS / pack], HELPERS, folders(root), root / "packs")


class Bench:
    """Runs graphs of small nodes and says what happened."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.events: list[events.Event] = []

    def run(self, graph: Mapping[str, Any], *values: str) -> list[Any]:
        """Run a graph; return what lies on the outputs of these nodes, or of all."""
        self.events = []
        wanted = values or tuple(graph)
        result = self.engine.run(dict(graph), targets=[], values=wanted, on_event=self.events.append)
        found = [result.values[name] for name in wanted]
        return [[wire[0] if len(wire) == 1 else wire for wire in each] for each in found]

    def one(self, type: str, **inputs: Any) -> list[Any]:
        """Run one node; return its outputs."""
        return self.run({"1": node(type, **inputs)})[0]

    @property
    def ran(self) -> list[str]:
        """The nodes that ran, in order."""
        return [each.node for each in self.events if isinstance(each, events.NodeStarted)]

    @property
    def warned(self) -> list[str]:
        return [each.message for each in self.events if isinstance(each, events.Warned)]


@contextmanager
def bench(root: Path, pack: str = "classic") -> Iterator[Bench]:
    with Engine(opened(root, pack).registry, folders=folders(root), data=root / "data") as engine:
        yield Bench(engine)


def node(type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": type, "inputs": inputs}
