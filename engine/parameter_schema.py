"""Parameters as a JSON Schema (draft 2020-12): what a workflow takes when it is called like a function."""

from collections.abc import Iterable
from typing import Any

from engine.folders import Folders
from engine.node import Port
from engine.object_info import port_choices
from engine.parameters import Parameter

TYPES = {
    "INT": "integer",
    "FLOAT": "number",
    "STRING": "string",
    "COMBO": "string",
    "BOOLEAN": "boolean",
    "LIST": "array",
}


def parameter_schema(parameters: Iterable[Parameter], folders: Folders) -> dict[str, Any]:
    """Return the schema of an object of parameters by name. None is required: each has its default.

    Files that may be chosen are those that are in ``folders`` now.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {each.name: _property(each, folders) for each in parameters},
        "additionalProperties": False,
    }


def _property(parameter: Parameter, folders: Folders) -> dict[str, Any]:
    default = {} if parameter.value is None else {"default": parameter.value}
    return (_of_port(parameter.port, folders) if parameter.port else {}) | default


def _of_port(port: Port, folders: Folders) -> dict[str, Any]:
    types = [TYPES[name] for name in port.type.split(",") if name in TYPES]
    choices = port_choices(port, folders)
    cast = int if port.type == "INT" else float if port.type == "FLOAT" else str
    facts = {
        "description": port.options.get("tooltip"),
        "type": types[0] if len(types) == 1 else types or None,
        "minimum": port.minimum,
        "maximum": port.maximum,
        "enum": None if choices is None else [cast(choice) for choice in choices],
    }
    return {name: value for name, value in facts.items() if value is not None}
