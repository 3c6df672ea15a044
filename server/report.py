"""How an error reaches a person (one block), a program (one JSON object) and the shell (the exit code)."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import typer

from engine.errors import (
    Cancelled,
    Fault,
    FileError,
    LoomisError,
    ModelError,
    SettingError,
    ValidationError,
    WorkflowError,
    listed,
)
from engine.formats import Diagnostic

EXIT_CODES = {
    0: "done",
    1: "the run failed",
    2: "wrong usage, a wrong setting or an invalid workflow",
    3: "a file or a model can't be used",
    130: "cancelled",
}
CODES = ((Cancelled, 130), (SettingError | WorkflowError, 2), (FileError | ModelError, 3), (LoomisError, 1))


def exit_code(error: LoomisError) -> int:
    """Return what the shell gets."""
    return next(code for kind, code in CODES if isinstance(error, kind))


def report(error: LoomisError, as_json: bool) -> None:
    """Print an error: as JSON to standard output, or as a block to standard error."""
    if as_json:
        typer.echo(json.dumps({"error": error_data(error)}, default=str))
    else:
        typer.echo("\n".join(printable(line) for line in blocks(error)), err=True)


def error_data(error: LoomisError) -> dict[str, Any]:
    """Return an error as plain data; an invalid workflow lists its ``faults``."""
    if isinstance(error, ValidationError):
        return error.as_dict() | {"faults": [plain_data(fault) for fault in error.faults]}
    return error.as_dict()


def raised_data(error: LoomisError) -> dict[str, Any]:
    """Return where in a node an error was raised as plain data, where that is known. It is not for the terminal."""
    if error.raised is None:
        return {}
    return {"raised": {"traceback": error.raised.traceback, "inputs": error.raised.inputs}}


def show_remarks(remarks: Iterable[Diagnostic], prefix: str = "") -> None:
    """Print what was noticed while a file was read, to standard error."""
    for remark in remarks:
        typer.echo(printable(f"{prefix}{remark.level}: {remark.text}"), err=True)


def plain_data(told: Fault | Diagnostic) -> dict[str, Any]:
    """Return a fault or a remark as plain data, without the fields that are empty."""
    fields = {field.name: getattr(told, field.name) for field in dataclasses.fields(told)}
    return {name: value for name, value in fields.items() if value not in (None, ())}


def blocks(error: LoomisError) -> Iterator[str]:
    """Return the lines that a person reads: what, where, what was got and expected, what to do."""
    if isinstance(error, Cancelled):
        yield f"{error.message} {error.hint}" if error.hint else "Cancelled. What was finished stays remembered."
        return
    faults: Sequence[Fault | LoomisError] = error.faults if isinstance(error, ValidationError) else (error,)
    parts = {part.message: part for part in reversed(faults)}.values()
    if len(parts) > 1:
        yield f"The workflow has {len(parts)} faults."
    for part in reversed(parts):
        yield f"error: {part.message}"
        yield from (f"  {name:<9} {text}" for name, text in _details(part) if text)


def _details(part: Fault | LoomisError) -> Iterator[tuple[str, str | None]]:
    node = f"node {part.node}" + (f" ({part.class_type})" if part.class_type else "")
    where = [node if part.node else "", f"input {part.input}" if part.input else ""]
    told = part.message.startswith(f"Node {part.node}")
    yield "where", None if told else ", ".join(text for text in where if text)
    yield "got", None if part.got is None else listed(part.got)
    yield "expected", None if part.expected is None else listed(part.expected)
    yield "do", part.hint
    if isinstance(part, Fault):
        yield "stops", ", ".join(f"node {id}" for id in part.outputs)


def printable(text: str) -> str:
    """Return a text with its control characters written out, so that a workflow can't steer the terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text)
