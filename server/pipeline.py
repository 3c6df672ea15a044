"""Workflows from standard input: one document, or JSON lines with a run a line.

A line is a workflow, or ``{"file": PATH, "set": {NAME: VALUE}}``, or ``{"workflow": {...}, "set": {...}}``. Which of
the two the input is, its first line says: JSON lines begin with a whole object.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from engine.errors import WorkflowError
from engine.formats.read import Source

KEYS = frozenset({"file", "workflow", "set"})


@dataclass(frozen=True, slots=True)
class Piped:
    """One run: ``line`` is None for a document that is all of the input."""

    source: Source
    parameters: Mapping[str, Any] = field(default_factory=dict)
    line: int | None = None


def read_runs(stream: BinaryIO) -> Iterator[Piped | WorkflowError]:
    """Yield what to run, line by line as it comes; an error for a line that means nothing."""
    first = stream.readline()
    if _object(first) is None:
        yield Piped(first + stream.read())
        return
    for number, line in enumerate(chain((first,), stream), 1):
        if line.strip():
            yield _run(number, line)


def _run(number: int, line: bytes) -> Piped | WorkflowError:
    found = _object(line)
    if found is None:
        return WorkflowError(
            f"Line {number} is no JSON object.", got=line[:200].decode("utf-8", "replace"),
            expected='a workflow, or {"file": PATH, "set": {NAME: VALUE}}', hint="Write one object a line.",
        )  # fmt: skip
    if not found.keys() & {"file", "set"} or not found.keys() <= KEYS:
        return Piped(found, {}, number)
    source = Path(found["file"]) if isinstance(found.get("file"), str) else found.get("workflow")
    values = found.get("set", {})
    if not isinstance(source, Path | dict) or not isinstance(values, dict):
        return WorkflowError(
            f"Line {number} names no workflow.", got=found,
            expected='{"file": PATH, "set": {NAME: VALUE}}', hint="Give it a file, or a workflow.",
        )  # fmt: skip
    return Piped(source, values, number)


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
