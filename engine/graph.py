"""A workflow as data: nodes by id, in the API format.

``{"3": {"class_type": "KSampler", "inputs": {"seed": 1, "model": ["4", 0]}, "_meta": {"title": "..."}}}``
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
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


@cache
def _adapter() -> TypeAdapter[dict[str, ApiNode]]:
    return TypeAdapter(dict[str, ApiNode])


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
    try:
        parsed = _adapter().validate_python(prompt)
    except PydanticError as error:
        raise ValidationError([_fault(issue) for issue in error.errors(include_url=False)]) from None
    nodes = {
        id: Node(id, node.class_type, node.inputs, _title(node.meta), pack_hint(node.meta))
        for id, node in parsed.items()
    }
    return Graph(nodes, prompt)


def _title(meta: Mapping[str, Any]) -> str | None:
    title = meta.get("title")
    return title if isinstance(title, str) else None


def _fault(issue: Mapping[str, Any]) -> Fault:
    node, *where = [str(part) for part in issue["loc"]]
    missing = where == ["class_type"]
    return Fault(
        code="missing_node_type" if missing else "invalid_prompt",
        message=f"Node {node}: {'.'.join(where) or 'the node'}: {issue['msg']}.",
        node=node,
        input=where[1] if len(where) > 1 else None,
        got=shortened(issue["input"]),
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
