"""How a batch is told: a line a row for a person, JSON for a program, or only the files."""

import json
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Protocol, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from engine.errors import shortened
from server.report import printable
from server.text import seconds_text


class Counts(Protocol):
    """How far a batch is; ``left`` is in seconds, None while nothing is known."""

    @property
    def total(self) -> int: ...

    @property
    def done(self) -> int: ...

    @property
    def failed(self) -> int: ...

    @property
    def skipped(self) -> int: ...

    @property
    def left(self) -> float | None: ...


class RowTeller:
    """Tells each row as it is done. Files go to standard output, the rest to standard error.

    ``place`` says how to write where a file of the batch is.
    """

    def __init__(self, place: Callable[[str], str], as_json: bool, quiet: bool) -> None:
        self.place = place
        self.as_json = as_json
        self.quiet = quiet
        self.failed: list[Mapping[str, Any]] = []
        self._bar: Progress | None = None
        if not (as_json or quiet) and sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), TextColumn("{task.fields[left]}"))
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("rows", left="")

    def __call__(self, line: Mapping[str, Any], counts: Counts) -> None:
        if line["state"] == "failed":
            self.failed.append(line)
        if self.as_json:
            typer.echo(json.dumps(line, default=str))
            return
        if not self.quiet:
            self._say(line, counts)
        for name in line["files"]:
            typer.echo(self.place(name))
        for text in line.get("texts", ()):
            typer.echo(printable(str(text)))

    def _say(self, line: Mapping[str, Any], counts: Counts) -> None:
        at = counts.done + counts.failed + counts.skipped
        left = "" if counts.left is None or at == counts.total else f", {seconds_text(counts.left)} left"
        what = f"row {line['row']}: {_outcome(line)}"
        if self._bar:
            self._bar.update(self._task, completed=at, total=counts.total, left=f"{at}/{counts.total}{left}")
            self._bar.console.print(Text(printable(what)), soft_wrap=True)
        else:
            typer.echo(printable(f"{what} ({at} of {counts.total}{left})"), err=True)

    def finish(self, counts: Counts, sheet: str | None) -> None:
        """Tell what came of it, and every row that failed."""
        if self.as_json:
            totals = {"done": counts.done, "failed": counts.failed, "skipped": counts.skipped, "rows": counts.total}
            typer.echo(json.dumps({"batch": totals, "sheet": sheet}))
            return
        if sheet:
            typer.echo(sheet)
        for line in self.failed if self.quiet else ():
            typer.echo(printable(f"row {line['row']}: {_outcome(line)}"), err=True)
        if not self.quiet:
            before = f", {counts.skipped} were done before" if counts.skipped else ""
            typer.echo(f"{counts.done} rows done, {counts.failed} failed{before}", err=True)
            if self.failed:
                numbers = ", ".join(str(line["row"]) for line in self.failed)
                typer.echo(f"failed: {shortened(numbers)}", err=True)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()


def _outcome(line: Mapping[str, Any]) -> str:
    """Say in a line what became of a row."""
    if line["state"] == "done":
        return f"done in {seconds_text(line['seconds'])}"
    error = line["error"]
    reasons = [fault["message"] for fault in error.get("faults", ())] or [error["message"]]
    where = f" ({line['origin']})" if line.get("origin") else ""
    hint = "" if error.get("faults") or not error.get("hint") else f" {error['hint']}"
    return f"failed{where}: {' '.join(reasons)}{hint}"
