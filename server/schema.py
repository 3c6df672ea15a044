"""A node type as plain data."""

from collections.abc import Mapping
from typing import Any

from engine.folders import Folders
from engine.node import NO_DEFAULT, Files, InputFile, InputFolder, ModelFolder, NodeSpec, Port
from engine.object_info import port_choices

WHERE: Mapping[type, str] = {
    Files: "files in the models folders",
    InputFile: "files in the input folder",
    InputFolder: "folders in the input folder",
    ModelFolder: "folders in the models folders",
}
"""What the choices of an input are."""

MOST_CHOICES = 12
"""Of a longer list, the rest is left out for a person."""


def node_data(spec: NodeSpec, folders: Folders) -> dict[str, Any]:
    """Return everything an editor or a person needs to know about a node type."""
    return {
        "type": spec.type,
        "display_name": spec.display_name,
        "category": spec.category,
        "description": spec.description,
        "version": spec.version,
        "output_node": spec.output_node,
        "resource": spec.resource,
        "inputs": [input_data(port, folders) for port in spec.inputs],
        "outputs": [{"name": slot.name, "type": slot.type, "is_list": slot.is_list} for slot in spec.outputs],
    }


def input_data(port: Port, folders: Folders) -> dict[str, Any]:
    """Return everything that is declared of an input."""
    facts = {
        "minimum": port.minimum,
        "maximum": port.maximum,
        "choices": port_choices(port, folders),
        "folder": port.choices.folder if isinstance(port.choices, Files) else None,
        "options": dict(port.options) or None,
        "any_link": port.any_link or None,
    }
    data = {"name": port.name, "type": port.type, "required": port.required, "lazy": port.lazy}
    default = {} if port.default is NO_DEFAULT else {"default": port.default}
    return data | default | {name: value for name, value in facts.items() if value is not None}


def allowed(port: Port, folders: Folders) -> str:
    """Say what an input takes: choices, or bounds."""
    choices = port_choices(port, folders)
    if choices is not None:
        where = WHERE.get(type(port.choices))
        shown = ", ".join(map(str, choices[:MOST_CHOICES])) + (", ..." if len(choices) > MOST_CHOICES else "")
        return f"{where}: {shown or 'none there'}" if where else shown
    if port.minimum is None and port.maximum is None:
        return ""
    return f"{_bound(port.minimum)} to {_bound(port.maximum)}"


def _bound(bound: float | None) -> str:
    return "any" if bound is None else f"{bound:g}" if isinstance(bound, float) else str(bound)
