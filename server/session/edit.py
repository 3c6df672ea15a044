"""Edits of a graph: a pure function from one workflow in the API format to the next."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, assert_never

from engine import Engine
from engine.errors import shortened
from engine.graph import is_link
from engine.schema import NodeSpec
from engine.spelling import nearest
from server.protocol.edits import (
    AddNode,
    Connect,
    DescribeNode,
    Disconnect,
    Edit,
    RemoveNode,
    ReplaceNode,
    SetInput,
    UnsetInput,
)
from server.session.errors import BadEdit
from server.session.history import Prompt

LONGEST_NUMBER = 15
"""Digits of an id up to which it counts as a number."""


class Editing:
    """One batch of edits under way. ``prompt`` is a copy where it was changed; the graph before stays as it is.

    ``added`` are the ids that it gave to nodes which came without one.
    """

    def __init__(self, prompt: Prompt, engine: Engine) -> None:
        self.prompt: dict[str, Mapping[str, Any]] = dict(prompt)
        self.added: list[str] = []
        self._engine = engine

    def apply(self, edit: Edit) -> None:
        """Do one edit.

        Raises:
            BadEdit: it makes no sense for the graph.
        """
        match edit:
            case SetInput(node=node, input=input, value=value):
                self._known_input(node, input)
                self._link_is_possible(edit, value)
                self._put(node, input, value)
            case Connect():
                self._known_input(edit.node, edit.input)
                self._put(edit.node, edit.input, [edit.source, self._slot(edit)])
            case UnsetInput() | Disconnect():
                self._take(edit)
            case AddNode():
                self._add(edit)
            case RemoveNode(node=node):
                self._remove(node)
            case ReplaceNode():
                self._replace(edit)
            case DescribeNode(node=node):
                self.prompt[node] = _described(self._node(node), edit.title, edit.pos)
            case _:
                assert_never(edit)

    def _node(self, id: str) -> Mapping[str, Any]:
        if id not in self.prompt:
            raise BadEdit(
                f"There is no node {shortened(id)!r}.",
                got=id,
                expected=nearest(id, self.prompt) or list(self.prompt)[:20],
                hint="Name a node of the graph, or add it first.",
            )
        return self.prompt[id]

    def _spec(self, id: str) -> NodeSpec | None:
        return self._engine.registry.specs.get(self._node(id)["class_type"])

    def _known_input(self, id: str, input: str) -> None:
        """See that a node has an input. What a node of an unknown type has is not known."""
        spec = self._spec(id)
        if spec and input not in spec.ports and input not in self.prompt[id]["inputs"]:
            raise BadEdit(
                f"Node {id} ({spec.type}) has no input {shortened(input)!r}.",
                node=id,
                class_type=spec.type,
                input=input,
                got=input,
                expected=nearest(input, spec.ports) or sorted(spec.ports),
                hint="Use the name of one of its inputs.",
            )

    def _link_is_possible(self, edit: SetInput, value: Any) -> None:
        if is_link(value) and value[0] in self.prompt:
            raise BadEdit(
                f"The value of input {edit.input} looks like a link.",
                node=edit.node,
                input=edit.input,
                got=value,
                expected="a value",
                hint='Use "connect" for a link, or {"__value__": [...]} for a list that is meant as a value.',
            )

    def _slot(self, edit: Connect) -> int:
        """Return the number of the output that an edit names."""
        spec = self._spec(edit.source)
        if isinstance(edit.output, int) and (spec is None or edit.output < len(spec.outputs)):
            return edit.output
        names = [slot.name for slot in spec.outputs] if spec else []
        if isinstance(edit.output, str) and edit.output in names:
            return names.index(edit.output)
        raise BadEdit(
            f"Node {edit.source} ({self.prompt[edit.source]['class_type']}) has no output {edit.output!r}.",
            node=edit.source,
            got=edit.output,
            expected=", ".join(f"{index} ({name})" for index, name in enumerate(names)) or "the number of an output",
            hint="Name an output that is there.",
        )

    def _put(self, id: str, input: str, value: Any) -> None:
        node = self.prompt[id]
        self.prompt[id] = {**node, "inputs": {**node["inputs"], input: value}}

    def _take(self, edit: UnsetInput | Disconnect) -> None:
        inputs = self._node(edit.node)["inputs"]
        linked = edit.input in inputs and is_link(inputs[edit.input])
        if edit.input not in inputs or linked != isinstance(edit, Disconnect):
            what = "link" if isinstance(edit, Disconnect) else "value"
            raise BadEdit(
                f"Input {shortened(edit.input)} of node {edit.node} has no {what}.",
                node=edit.node,
                input=edit.input,
                got=inputs.get(edit.input, "nothing"),
                expected=f"a {what}",
                hint='"disconnect" takes links away, "unset" values.',
            )
        left = {name: value for name, value in inputs.items() if name != edit.input}
        self.prompt[edit.node] = {**self.prompt[edit.node], "inputs": left}

    def _add(self, edit: AddNode) -> None:
        id = edit.node
        if id is None:
            id = self._free_id()
            self.added.append(id)
        elif id in self.prompt:
            raise BadEdit(
                f"There is a node {shortened(id)!r} already.",
                node=id,
                got=id,
                expected="an id that is free",
                hint='Leave the id out, or use "replace".',
            )
        self.prompt[id] = _described({"class_type": edit.class_type, "inputs": dict(edit.inputs)}, edit.title, edit.pos)

    def _free_id(self) -> str:
        numbers = (int(id) for id in self.prompt if len(id) <= LONGEST_NUMBER and id.isascii() and id.isdigit())
        free = 1 + max(numbers, default=0)
        while str(free) in self.prompt:
            free += 1
        return str(free)

    def _remove(self, id: str) -> None:
        self._node(id)
        del self.prompt[id]
        for other, node in list(self.prompt.items()):
            left = {name: value for name, value in node["inputs"].items() if not (is_link(value) and value[0] == id)}
            if len(left) < len(node["inputs"]):
                self.prompt[other] = {**node, "inputs": left}

    def _replace(self, edit: ReplaceNode) -> None:
        old = self._node(edit.node)
        inputs = edit.inputs
        if inputs is None:
            spec = self._engine.registry.specs.get(edit.class_type)
            inputs = {name: value for name, value in old["inputs"].items() if spec is None or name in spec.ports}
        kept = {name: value for name, value in old.get("_meta", {}).items() if name in ("title", "pos")}
        node = {"class_type": edit.class_type, "inputs": dict(inputs), **({"_meta": kept} if kept else {})}
        self.prompt[edit.node] = _described(node, edit.title, None)


def _described(node: Mapping[str, Any], title: str | None, pos: Sequence[float] | None) -> Mapping[str, Any]:
    """Return a node with another title or place. An empty title takes the old one away."""
    meta = dict(node.get("_meta", {}))
    if pos is not None:
        meta["pos"] = list(pos)
    if title:
        meta["title"] = title
    elif title == "":
        meta.pop("title", None)
    bare = {name: value for name, value in node.items() if name != "_meta"}
    return {**bare, "_meta": meta} if meta else bare


def edited(prompt: Prompt, edits: Iterable[Edit], engine: Engine) -> Editing:
    """Return a batch of edits, done.

    Raises:
        BadEdit: one of them makes no sense; nothing was changed.
    """
    editing = Editing(prompt, engine)
    for edit in edits:
        editing.apply(edit)
    return editing
