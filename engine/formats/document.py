"""The saved format as plain data. Links are looked up by id; ids are text, as in the API format."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ALWAYS, MUTED, BYPASSED = 0, 2, 4
INPUT_BOUNDARY, OUTPUT_BOUNDARY = "-10", "-20"


@dataclass(frozen=True, slots=True)
class Link:
    id: str
    origin: str
    origin_slot: int
    target: str
    target_slot: int
    type: str


@dataclass(frozen=True, slots=True)
class Slot:
    """An input or output socket as saved. ``widget`` names the widget that the socket belongs to."""

    name: str
    type: str
    link: str | None = None
    widget: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A node as saved. ``values`` is positional (a list) or by name (a dict); ``named`` is the newer copy by name."""

    id: str
    type: str
    mode: int = ALWAYS
    title: str | None = None
    inputs: tuple[Slot, ...] = ()
    outputs: tuple[Slot, ...] = ()
    values: list[Any] | dict[str, Any] | None = None
    named: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    color: str | None = None
    position: tuple[float, float] = (0.0, 0.0)

    @property
    def value_list(self) -> list[Any]:
        return self.values if isinstance(self.values, list) else []

    @property
    def live(self) -> bool:
        return self.mode not in (MUTED, BYPASSED)


@dataclass(frozen=True, slots=True)
class Box:
    """The frame of a group, in canvas units."""

    title: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """Nodes, links and group frames of the root or of one subgraph."""

    nodes: Mapping[str, Node]
    links: Mapping[str, Link]
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a subgraph definition, with the inner links that start or end there."""

    name: str
    type: str
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """A subgraph. ``order`` lists (inner node id, widget name) per instance value where that is known beforehand."""

    id: str
    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    graph: Graph
    order: tuple[tuple[str, str], ...] | None = None

    @property
    def size(self) -> int:
        return len(self.graph.nodes) + len(self.inputs) + len(self.outputs)


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    graph: Graph
    definitions: Mapping[str, Definition]
    extra: Mapping[str, Any] = field(default_factory=dict)
