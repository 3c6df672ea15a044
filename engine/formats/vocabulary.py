"""What is known of the node types in one document: the catalogue and the document's own subgraphs."""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.formats.catalogue import ANY, Catalogue, ClassInfo, InputInfo
from engine.formats.document import Definition, Node, Slot
from engine.formats.widgets import Widget, has_widget, layout_of


@dataclass(frozen=True, slots=True)
class LiveInput:
    """An input as the editor has it after loading: declared order and type, saved link."""

    name: str
    type: str
    link: str | None = None
    widget: bool = False
    label: str | None = None


class Vocabulary:
    """Answers what a saved node's inputs and outputs are. Answers are remembered per node."""

    def __init__(self, catalogue: Catalogue, definitions: Mapping[str, Definition]) -> None:
        self.catalogue = catalogue
        self.definitions = definitions
        self._layouts: dict[str, tuple[Widget, ...]] = {}
        self._widgets: dict[Node, frozenset[str]] = {}
        self._inputs: dict[Node, tuple[LiveInput, ...]] = {}

    def info(self, node: Node) -> ClassInfo | None:
        return self.catalogue.get(node.type)

    def definition(self, node: Node) -> Definition | None:
        return self.definitions.get(node.type)

    def layout(self, info: ClassInfo) -> tuple[Widget, ...]:
        if info.name not in self._layouts:
            self._layouts[info.name] = layout_of(info)
        return self._layouts[info.name]

    def inputs(self, node: Node) -> tuple[LiveInput, ...]:
        """Return the live inputs: all declared ones in order, then saved ones that are not declared."""
        if node not in self._inputs:
            self._inputs[node] = self._live(node)
        return self._inputs[node]

    def has_widget(self, node: Node, name: str) -> bool:
        """Whether the input of this name belongs to a widget."""
        if node not in self._widgets:
            self._widgets[node] = frozenset(live.name for live in self.inputs(node) if live.widget)
        return name in self._widgets[node]

    def output_type(self, node: Node, slot: int) -> str:
        definition, info = self.definition(node), self.info(node)
        declared = definition.outputs if definition else info.outputs if info else node.outputs
        return declared[slot].type if 0 <= slot < len(declared) else ANY

    def _live(self, node: Node) -> tuple[LiveInput, ...]:
        definition, info = self.definition(node), self.info(node)
        if definition is not None:
            return _instance_inputs(node, definition)
        if info is None:
            return tuple(_as_saved(slot) for slot in node.inputs)
        saved = {slot.name: slot for slot in reversed(node.inputs)}
        declared = tuple(_realigned(item, saved.get(item.name)) for item in info.inputs)
        names = {item.name for item in info.inputs}
        return declared + tuple(_as_saved(slot) for slot in node.inputs if slot.name not in names)


def compatible(one: str, other: str) -> bool:
    """Whether two socket types can be joined: equal, either is ``*``, or their comma lists overlap."""
    if one == other or ANY in (one, other):
        return True
    return not {part.strip().lower() for part in one.split(",")}.isdisjoint(
        part.strip().lower() for part in other.split(",")
    )


def _instance_inputs(node: Node, definition: Definition) -> tuple[LiveInput, ...]:
    """Match saved inputs to the definition's by name and type, then by name."""
    exact = {(slot.name, slot.type): slot for slot in reversed(node.inputs)}
    named = {slot.name: slot for slot in reversed(node.inputs)}
    matched = ((port, exact.get((port.name, port.type)) or named.get(port.name)) for port in definition.inputs)
    return tuple(LiveInput(port.name, port.type, slot.link if slot else None) for port, slot in matched)


def _realigned(declared: InputInfo, saved: Slot | None) -> LiveInput:
    link, label = (saved.link, saved.label) if saved else (None, None)
    return LiveInput(declared.name, declared.type, link, has_widget(declared), label)


def _as_saved(slot: Slot) -> LiveInput:
    return LiveInput(slot.name, slot.type, slot.link, slot.widget is not None, slot.label)
