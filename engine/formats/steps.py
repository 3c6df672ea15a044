"""The places a walk through a graph can be at, and what it can end with."""

from dataclasses import dataclass
from typing import Any

from engine.formats.document import Node
from engine.formats.scopes import Scope


@dataclass(frozen=True, slots=True)
class InputStep:
    scope: Scope
    node: Node
    index: int


@dataclass(frozen=True, slots=True)
class OutputStep:
    scope: Scope
    node: Node
    slot: int


@dataclass(frozen=True, slots=True)
class Wire:
    """The output ``slot`` of the node with this id in the API graph."""

    node: str
    slot: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A value: of a primitive node, or of a promoted widget. ``marked`` asks for text replacement in it."""

    value: Any
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Dead:
    """Nothing feeds this."""


Step = InputStep | OutputStep
