"""A node type as plain data."""

from collections.abc import Sequence
from typing import Any

from engine.folders import Folders
from engine.node import NO_DEFAULT, Files, NodeSpec, Port


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
        "inputs": [_input_data(port, folders) for port in spec.inputs],
        "outputs": [{"name": slot.name, "type": slot.type, "is_list": slot.is_list} for slot in spec.outputs],
    }


def _input_data(port: Port, folders: Folders) -> dict[str, Any]:
    facts = {
        "minimum": port.minimum,
        "maximum": port.maximum,
        "choices": port_choices(port, folders),
        "folder": port.choices.folder if isinstance(port.choices, Files) else None,
        "options": dict(port.options) or None,
    }
    data = {"name": port.name, "type": port.type, "required": port.required, "lazy": port.lazy}
    default = {} if port.default is NO_DEFAULT else {"default": port.default}
    return data | default | {name: value for name, value in facts.items() if value is not None}


def port_choices(port: Port, folders: Folders) -> Sequence[str] | None:
    """Return the values that an input may have, files as they are now; None where it has no list."""
    match port.choices:
        case None | tuple():
            return port.choices
        case Files(folder=folder):
            return folders.names(folder)
        case files:
            return folders.inputs(files.suffixes)
