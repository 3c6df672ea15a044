"""The types of every message for TypeScript, from the JSON schema."""

from collections.abc import Mapping
from typing import Any

from server.protocol.schema import TITLE, protocol_schema

HEAD = f"""// {TITLE}. Made from the server's own models: don't edit.
// In JSON a message with bytes is a binary frame: 4 bytes of length (big endian), so much JSON, then `data`.

"""


def typescript() -> str:
    """Return a module with a type for each part of a message, ``Command``, ``Message`` and ``Results``."""
    schema = protocol_schema()
    body = [_declaration(name, entry) for name, entry in schema["$defs"].items()]
    for name, group in (("Command", "commands"), ("Message", "events")):
        kinds = [_type(ref) for ref in schema[group].values()]
        body.append(f"export type {name} =\n" + "\n".join(f"  | {kind}" for kind in kinds) + ";\n")
    rows = [f'  "{name}": {_type(ref)};' for name, ref in schema["results"].items()]
    body.append(
        "/** What the reply to each command holds. */\nexport interface Results {\n" + "\n".join(rows) + "\n}\n"
    )
    return HEAD + "\n".join(body)


def _declaration(name: str, entry: Mapping[str, Any]) -> str:
    required = entry.get("required", ())
    fields = "".join(
        f"  {field}{'' if field in required else '?'}: {_type(kind)};\n"
        for field, kind in entry.get("properties", {}).items()
    )
    told = entry.get("description", "").replace("``", "`").replace("*/", "* /")
    comment = "/**\n" + "".join(f" * {line}".rstrip() + "\n" for line in told.splitlines()) + " */\n" if told else ""
    return f"{comment}export interface {name} {{\n{fields}}}\n"


def _type(kind: Mapping[str, Any]) -> str:
    match kind:
        case {"$ref": ref}:
            return str(ref.rpartition("/")[2])
        case {"const": value}:
            return f'"{value}"' if isinstance(value, str) else str(value)
        case {"enum": values}:
            return " | ".join(f'"{value}"' for value in values)
        case {"anyOf": parts} | {"oneOf": parts}:
            return " | ".join(dict.fromkeys(_type(part) for part in parts))
        case {"format": "binary"}:
            return "Uint8Array"
        case {"type": "array", "prefixItems": items}:
            return f"[{', '.join(_type(item) for item in items)}]"
        case {"type": "array", "items": item}:
            inner = _type(item)
            return f"({inner})[]" if " | " in inner else f"{inner}[]"
        case {"type": "object", "additionalProperties": dict(item)}:
            return f"Record<string, {_type(item)}>"
        case {"type": "object"}:
            return "Record<string, unknown>"
        case {"type": name}:
            return "number" if name == "integer" else str(name)
    return "unknown"
