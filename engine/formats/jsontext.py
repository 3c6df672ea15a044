"""JSON as workflow files have it: with NaN, with a byte order mark, of any size and depth."""

import json
import math
import re
from collections.abc import Callable
from typing import Any

from engine.errors import WorkflowError

MAX_JSON_BYTES = 64 * 2**20

LARGE = 2**20
"""Characters from which on a thread that reads them lets others go on meanwhile."""

LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_json(data: bytes | str, what: str) -> Any:
    """Return the JSON value in ``data``; ``what`` names it in errors.

    NaN, Infinity and numbers too large for a float, which Python programs write into these files and JSON does not
    have, become None, as the editor reads them. Half surrogate pairs become U+FFFD. Raises WorkflowError where it is
    not JSON.
    """
    if len(data) > MAX_JSON_BYTES:
        raise WorkflowError(
            f"{what} is too large.",
            got=f"{len(data)} bytes",
            expected=f"at most {MAX_JSON_BYTES} bytes of JSON",
            hint="Save the workflow without what is embedded in it.",
        )
    text = data if isinstance(data, str) else _decode(data, what)
    if not text.strip():
        raise WorkflowError(
            f"{what} is empty.", got="nothing", expected="a workflow as JSON", hint="Save the workflow again."
        )
    try:
        whole = text if text.isascii() else LONE_SURROGATE.sub("\ufffd", text)
        return json.loads(whole, parse_constant=_none, parse_float=_number, object_hook=_hook(text))
    except RecursionError:
        raise WorkflowError(
            f"{what} is nested too deep.",
            got=text[:80],
            expected="a workflow: a few levels of JSON",
            hint="Save the workflow again.",
        ) from None
    except ValueError as error:
        place = _around(error) if isinstance(error, json.JSONDecodeError) and text.lstrip()[:1] in ("{", "[") else ""
        raise WorkflowError(
            f"{what} is not JSON: {error}.",
            got=place or " ".join(text[:80].split()),
            expected="a workflow as JSON, or a picture or video that carries one",
            hint="Look there for a comma too many, or a quote or a bracket too few."
            if place
            else "Save it in the editor with Save or Export (API).",
        ) from None


def _around(error: json.JSONDecodeError) -> str:
    """Return the text before and after the place of an error, as one line."""
    before, after = error.doc[max(0, error.pos - 60) : error.pos], error.doc[error.pos : error.pos + 20]
    return f"... {' '.join(before.split())} -> {' '.join(after.split())} ..."


def _decode(data: bytes, what: str) -> str:
    if b"\0" in data[4:64] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise WorkflowError(
            f"{what} is neither JSON nor a known picture or video.",
            got=f"bytes that start with {data[:8].hex(' ')}",
            expected="JSON, PNG, WEBP, JPEG, MP4 or WEBM",
            hint="Name a workflow, or a picture or video that carries one.",
        )
    return data.decode(json.detect_encoding(data), errors="replace")


def _none(_: str) -> None:
    return None


def _number(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _hook(text: str) -> Callable[[dict[str, Any]], Any] | None:
    """Escaped half pairs only appear after parsing; the hook that mends them costs time, so it is used where needed.

    Reading without one is a single call into C, during which no other thread runs.
    """
    if "\\ud" in text or "\\uD" in text:
        return _mended
    return _as_it_is if len(text) > LARGE else None


def _as_it_is(item: dict[str, Any]) -> dict[str, Any]:
    return item


def _mended(item: dict[str, Any]) -> dict[str, Any]:
    return {_whole(key): _whole(value) for key, value in item.items()}


def _whole(value: Any) -> Any:
    match value:
        case str():
            return LONE_SURROGATE.sub("\ufffd", value)
        case list():
            return [_whole(item) for item in value]
    return value
