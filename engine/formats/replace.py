"""Text replacement in file name prefixes: ``%date:yyyy-MM-dd%`` and ``%Node.widget%``."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.dates import format_date
from engine.formats.diagnostics import told

MARK = re.compile(r"%([^%]+)%")
UNSAFE = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')
SERVER_MARKS = ("width", "height")

PREFIXED_TYPES = frozenset(
    {
        "SaveImage",
        "SaveVideo",
        "SaveAnimatedWEBP",
        "SaveAnimatedPNG",
        "SaveWEBM",
        "SaveAudio",
        "SaveAudioMP3",
        "SaveAudioOpus",
        "SaveGLB",
        "SaveSVGNode",
        "SaveLatent",
        "CLIPSave",
        "VAESave",
        "ModelSave",
        "LoraSave",
        "SaveLoRANode",
        "ImageOnlyCheckpointSave",
        "CheckpointSave",
        "SaveImageWebsocket",
    }
)
PREFIX = "filename_prefix"

Lookup = Callable[[str, str], Any]


@dataclass(frozen=True, slots=True)
class Prefix:
    """A file name prefix that holds values of nodes. ``text`` still has their marks, with dates filled in.

    ``sources`` maps ``Node.widget`` to the node of the graph and its input.
    """

    text: str
    sources: Mapping[str, tuple[str, str]]

    def filled(self, prompt: Mapping[str, Any]) -> str:
        """Return the prefix with the values that an API graph has for its nodes."""

        def lookup(name: str, widget: str) -> Any:
            node, input = self.sources.get(f"{name}.{widget}", ("", ""))
            return prompt[node]["inputs"].get(input) if node in prompt else None

        return replace_marks(self.text, datetime.min, lookup)[0]


def replace_marks(text: str, now: datetime, lookup: Lookup) -> tuple[str, list[str]]:
    """Return the text with its marks resolved, and the marks that name nothing (they stay as they are).

    ``lookup(node name, widget name)`` returns a value or None. ``%width%`` and ``%height%`` are left for the save node,
    and so is what has no point in it.
    """
    unknown: list[str] = []

    def resolved(match: re.Match[str]) -> str:
        mark = match[1]
        if mark.startswith("date:"):
            return format_date(mark.removeprefix("date:"), now)
        name, point, widget = mark.partition(".")
        if not point or "." in widget:
            if mark not in SERVER_MARKS:
                unknown.append(match[0])
            return match[0]
        value = lookup(name, widget)
        if value is None:
            unknown.append(match[0])
            return match[0]
        return UNSAFE.sub("_", as_text(value))

    return MARK.sub(resolved, text), unknown


def as_text(value: Any) -> str:
    """Return a value as the editor writes it: 8 for 8.0, true for True."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e21:
            return str(int(value))
    return told(value)
