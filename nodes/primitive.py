"""Plain values as nodes, and a look at any value."""

import json
from typing import Annotated

from engine.node import Field, Shown, Widget, node
from engine.types import Anything

LARGEST = 2**63 - 1


@node("PrimitiveInt", category="utils/primitive", display_name="Int")
def primitive_int(
    value: Annotated[int, Field(ge=-LARGEST, le=LARGEST), Widget(control_after_generate=True)],
) -> int:
    """Give a whole number."""
    return value


@node("PrimitiveFloat", category="utils/primitive", display_name="Float")
def primitive_float(value: Annotated[float, Field(ge=-LARGEST, le=LARGEST)]) -> float:
    """Give a number."""
    return value


@node("PrimitiveBoolean", category="utils/primitive", display_name="Boolean")
def primitive_boolean(value: bool) -> bool:
    """Give yes or no."""
    return value


@node("PrimitiveString", category="utils/primitive", display_name="String")
def primitive_string(value: Annotated[str, Widget(multiline=False)]) -> str:
    """Give a text of one line."""
    return value


@node("PrimitiveStringMultiline", category="utils/primitive", display_name="String (Multiline)")
def primitive_string_multiline(value: Annotated[str, Widget(multiline=True)]) -> str:
    """Give a text of any number of lines."""
    return value


@node("PreviewAny", category="utils", display_name="Preview Any", output_node=True)
def preview_any(source: Anything) -> Shown[None]:
    """Show a value as text: texts and numbers as they are, lists and dictionaries as JSON, others in Python's words."""
    return Shown(None, notes={"text": [_text(source)]})


def _text(value: object) -> str:
    if isinstance(value, list | dict):
        try:
            return json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError):
            pass
    return str(value)
