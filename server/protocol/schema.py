"""The JSON schema of every message, from the models themselves."""

import json
from typing import Any

from pydantic.json_schema import models_json_schema

from server.protocol.codec import FORMS
from server.protocol.commands import COMMANDS, command_name
from server.protocol.messages import MESSAGES

TITLE = "Loomis native protocol, version 1"


def protocol_schema() -> dict[str, Any]:
    """Return a JSON schema (2020-12): ``commands`` and ``events`` by name, and per command the schema of its result."""
    results = list(dict.fromkeys(kind.result for kind in COMMANDS))
    asked = [(kind, "validation") for kind in COMMANDS]
    told = [(kind, "serialization") for kind in (*MESSAGES, *results)]
    refs, schema = models_json_schema([*asked, *told], ref_template="#/$defs/{model}")  # type: ignore[list-item]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": TITLE,
        "subprotocols": list(FORMS),
        "commands": {command_name(kind): refs[kind, "validation"] for kind in COMMANDS},
        "results": {command_name(kind): refs[kind.result, "serialization"] for kind in COMMANDS},
        "events": {kind.model_fields["event"].default: refs[kind, "serialization"] for kind in MESSAGES},
        "$defs": schema["$defs"],
    }


def schema_text() -> str:
    """Return the schema as the file that is committed."""
    return json.dumps(protocol_schema(), indent=1) + "\n"
