"""How a run is told: lines for a person, JSON for a program, or only the files."""

import json
import time
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol

import typer

from engine import events
from engine.api import Result
from server.report import plain_data, printable
from server.text import path_text, range_text, seconds_text
from server.workflow import typed

MOST_LINES = 60
"""Of a larger graph, the rest of the nodes is counted."""

QUIET_SECONDS = 5.0
"""A node that is slow says how far it is this often, where there are no bars."""


class Teller(Protocol):
    """Tells a run as it goes on. Called from any thread, one event at a time."""

    def __call__(self, event: events.Event) -> None: ...

    def finish(self, result: Result) -> None:
        """Tell the result."""

    def close(self) -> None:
        """Leave the terminal as it was. Called once, also when the run failed."""


class Story:
    """Turns events into lines: one a node, and one that says what is ahead."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self.types = dict(types)
        self.whys: dict[str, str] = {}
        self.hidden = 0
        self._lines = 0

    def line(self, event: events.Event) -> str | None:
        """Return what a person should read of an event, if anything."""
        match event:
            case events.Planned():
                return _ahead(event)
            case events.NodeStarted(node=node, class_type=type, why=why):
                self.types[node] = type
                self.whys[node] = why
            case events.NodeFinished(node=node, seconds=seconds):
                reason = f" ({self.whys[node]})" if self.whys.get(node) else ""
                return self._of_node(node, f"ran {seconds_text(seconds)}{reason}")
            case events.Remembered(node=node, class_type=type):
                self.types[node] = type
                return self._of_node(node, "remembered")
            case events.Warned(message=message):
                return printable(f"warning: {message}")
            case events.Finished(seconds=seconds):
                more = f" and {self.hidden} more nodes," if self.hidden else ""
                return f"done{more} in {seconds_text(seconds)}"
        return None

    def name(self, node: str) -> str:
        """Return a node as a person knows it."""
        return printable(typed(self.types, node))

    def _of_node(self, node: str, what: str) -> str | None:
        self._lines += 1
        if self._lines > MOST_LINES:
            self.hidden += 1
            return None
        return f"  {self.name(node):<34} {printable(what)}"


def _ahead(plan: events.Planned) -> str:
    counts = ((plan.remembered, "remembered"), (plan.runs, "to run"), (plan.depends, "that may follow"))
    text = ", ".join(f"{len(ids)} {what}" for ids, what in counts if ids)
    known = plan.expected.keys() >= {*plan.runs, *plan.depends}  # else the sum says too little
    time = range_text(plan.seconds) if known else ""
    return f"{text}; {time} expected" if time else text


class Lines:
    """Plain lines on standard error, the files on standard output."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self.story = Story(types)
        self._spoke = time.monotonic()

    def __call__(self, event: events.Event) -> None:
        line = self.story.line(event)
        now = time.monotonic()
        if isinstance(event, events.Progress) and now - self._spoke > QUIET_SECONDS:
            line = f"  {self.story.name(event.node):<34} {event.value} of {event.maximum} {event.note}".rstrip()
        if line:
            self._spoke = now
            typer.echo(line, err=True)

    def finish(self, result: Result) -> None:
        show_result(result)

    def close(self) -> None:
        pass


class OnTerminal:
    """Lines, and bars above the rest of the work when there is some."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self._teller: Teller = Lines(types)
        self._types = types

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.Planned) and (event.runs or event.depends):
            from server.bars import Bars

            self._teller = Bars(self._types)
        self._teller(event)

    def finish(self, result: Result) -> None:
        self._teller.finish(result)

    def close(self) -> None:
        self._teller.close()


class FilesOnly:
    """Nothing but the files on standard output, and warnings."""

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.Warned):
            typer.echo(printable(f"warning: {event.message}"), err=True)

    def finish(self, result: Result) -> None:
        show_result(result)

    def close(self) -> None:
        pass


class JsonLines:
    """One JSON object a line: every event, then the result."""

    def __call__(self, event: events.Event) -> None:
        typer.echo(json.dumps(event_data(event), default=str))

    def finish(self, result: Result) -> None:
        outputs = result.outputs.items()
        data = {
            "outputs": {node: [file["path"] for file in shown.files] for node, shown in outputs},
            "notes": {node: shown.notes for node, shown in outputs if shown.notes},
            "faults": [plain_data(fault) for fault in result.faults],
            "diagnostics": [plain_data(each) for each in result.diagnostics],
            "seconds": result.seconds,
        }
        typer.echo(json.dumps({"result": data}, default=str))

    def close(self) -> None:
        pass


def event_data(event: events.Event) -> dict[str, Any]:
    """Return an event as plain data; ``event`` names its kind (``node_started``). A preview stays behind."""
    kind = "".join(f"_{char.lower()}" if char.isupper() else char for char in type(event).__name__)[1:]
    data = {field.name: getattr(event, field.name) for field in fields(event) if field.name != "preview"}
    return {"event": kind} | data


def show_result(result: Result) -> None:
    """Print what had to be left out, then the texts and the paths of the files, one a line."""
    for fault in result.faults:
        typer.echo(printable(f"left out: {fault.message}"), err=True)
    for shown in result.outputs.values():
        for text in shown.notes.get("text", ()):
            typer.echo(printable(str(text)))
        for file in shown.files:
            typer.echo(path_text(Path(file["path"])))
