"""Which workflow format a JSON value is in. It is detected, never asked."""

from dataclasses import dataclass
from typing import Any

from engine.errors import WorkflowError
from engine.formats.diagnostics import told

ENVELOPE_KEYS = ("prompt", "output", "workflow")
MAX_WRAPPERS = 4


@dataclass(frozen=True, slots=True)
class Detected:
    """What was found: the graph as submitted (``api``), the graph as the editor saves it (``saved``), or both.

    ``loomis`` is what Loomis keeps beside them.
    """

    api: dict[str, Any] | None
    saved: dict[str, Any] | None
    loomis: Any = None


def detect(value: Any, what: str) -> Detected:
    """Return the workflows in a JSON value; ``what`` names it in errors.

    Understood are both formats and the objects that carry them: the body of ``POST /prompt`` and the
    ``{"prompt": ..., "workflow": ...}`` that several programs write. Raises WorkflowError.
    """
    if isinstance(value, dict):
        found = _unwrapped(value)
        if found:
            return found
    raise WorkflowError(
        f"{what} holds no workflow.",
        got="an empty object" if value == {} else told(value),
        expected='the editor\'s format (an object with "nodes" and "links") '
        'or the API format (an object of {"class_type", "inputs"})',
        hint="Open it in the editor and use Save or Export (API).",
    )


def is_saved(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("nodes"), list | dict)


def is_api(value: Any) -> bool:
    """At least one entry is a node; entries that are not are reported later."""
    return isinstance(value, dict) and any(
        isinstance(node, dict) and "class_type" in node and isinstance(node.get("inputs", {}), dict)
        for node in value.values()
    )


def _unwrapped(value: dict[str, Any]) -> Detected | None:
    for _ in range(MAX_WRAPPERS):
        if is_saved(value):
            return Detected(None, value)
        if is_api(value):
            return Detected(value, None)
        found = _enveloped(value)
        if found:
            return found
        inner = next((value[key] for key in ENVELOPE_KEYS if isinstance(value.get(key), dict)), None)
        if inner is None:
            return None
        value = inner
    return None


def _enveloped(value: dict[str, Any]) -> Detected | None:
    api = next((value[key] for key in ENVELOPE_KEYS if is_api(value.get(key))), None)
    saved = next((value[key] for key in ENVELOPE_KEYS if is_saved(value.get(key))), None)
    extra = value.get("extra_data")
    for key in ("extra_pnginfo", "workflow"):
        extra = extra.get(key) if isinstance(extra, dict) else None
    saved = saved if saved is not None else extra if is_saved(extra) else None
    return Detected(api, saved, value.get("loomis")) if api is not None or saved is not None else None
