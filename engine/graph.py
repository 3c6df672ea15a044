"""A workflow as data: nodes by id, in the API format.

``{"3": {"class_type": "KSampler", "inputs": {"seed": 1, "model": ["4", 0]}, "_meta": {"title": "..."}}}``
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic import ValidationError as PydanticError

from engine.errors import Fault, ValidationError, WorkflowError, shortened
from engine.formats.packs import pack_hint
from engine.garbage import collected_later

SEQUENCE = (list, tuple)


class Link(NamedTuple):
    """The value on output ``slot`` of node ``node``."""

    node: str
    slot: int


class Node(NamedTuple):
    """One node as the file has it: ``inputs`` maps names to literals or to ``[id, slot]``.

    ``pack`` says where the type comes from, if the file does.
    """

    id: str
    class_type: str
    inputs: Mapping[str, Any]
    title: str | None = None
    pack: str | None = None


@dataclass(frozen=True, slots=True)
class Graph:
    """A workflow. ``prompt`` is the API-format JSON that it was read from."""

    nodes: Mapping[str, Node]
    prompt: Mapping[str, Any] = field(default_factory=dict)


class ApiNode(BaseModel):
    """A node in an API-format file."""

    model_config = ConfigDict(extra="ignore", strict=True)

    class_type: str
    inputs: dict[str, Any] = Field(default_factory=dict)
    meta: dict[str, Any] = Field(default_factory=dict, alias="_meta")


@collected_later
def read_graph(prompt: object) -> Graph:
    """Check the form of an API-format workflow and return it as a graph.

    Raises:
        WorkflowError: it is no object, or empty.
        ValidationError: some of its nodes are not nodes; ``faults`` names each.
    """
    if not isinstance(prompt, Mapping):
        raise WorkflowError(
            "A workflow is a JSON object that maps node ids to nodes.",
            got=type(prompt).__name__,
            expected='{"1": {"class_type": ..., "inputs": {...}}, ...}',
            hint="Save it again with the editor's API export, or pass the saved file as it is.",
        )
    if not prompt:
        raise WorkflowError(
            "The workflow is empty.", got="{}", expected="at least one node", hint="Add an output node."
        )
    nodes: dict[str, Node] = {}
    faults: list[Fault] = []
    for id, data in prompt.items():
        try:
            node = ApiNode.model_validate(data)
        except PydanticError as error:
            faults += [_fault(id, issue["loc"], issue["msg"], issue["input"]) for issue in error.errors()]
            continue
        if not isinstance(id, str):
            faults.append(_fault(id, ("id",), "Input should be a valid string", id))
            continue
        nodes[id] = Node(id, node.class_type, node.inputs, _title(node.meta), pack_hint(node.meta))
    if faults:
        raise ValidationError(faults)
    return Graph(nodes, prompt)


def _title(meta: Mapping[str, Any]) -> str | None:
    title = meta.get("title")
    return title if isinstance(title, str) else None


def _fault(id: object, loc: Sequence[object], wrong: str, got: object) -> Fault:
    node, where = str(id), [str(part) for part in loc]
    missing = where == ["class_type"]
    return Fault(
        code="missing_node_type" if missing else "invalid_prompt",
        message=f"Node {node}: {'.'.join(where) or 'the node'}: {wrong}.",
        node=node,
        input=where[1] if len(where) > 1 else None,
        got=shortened(got),
        expected='{"class_type": "NodeType", "inputs": {...}}',
        hint="Give the node its class_type and inputs.",
    )


def is_link(value: object) -> bool:
    """Whether a value has the shape of a link: ``[id, slot]``."""
    return (
        isinstance(value, SEQUENCE)
        and len(value) == 2
        and isinstance(value[0], str)
        and (type(value[1]) is int or (isinstance(value[1], float) and math.isfinite(value[1])))
    )
