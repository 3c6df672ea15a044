"""What was noticed while a workflow file was read: located, bounded, never raised."""

from dataclasses import dataclass, field
from typing import Any, Literal

from engine.errors import shortened

Level = Literal["error", "warning", "info"]

MAX_DIAGNOSTICS = 1_000
MAX_MESSAGE = 600


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One remark about a workflow file.

    ``code`` is stable. ``node`` is the id in the API graph, or the id in the file where the node has none.
    ``level``: an error means that the graph lacks something that the file means; a warning that a value was replaced
    or ignored; info records a choice that was made (a default, a random pick).
    """

    code: str
    message: str
    node: str | None = None
    input: str | None = None
    got: str | None = None
    expected: str | None = None
    hint: str | None = None
    level: Level = "warning"
    class_type: str | None = None

    @property
    def text(self) -> str:
        """The remark in one line: where, what, what to do."""
        type = f" ({self.class_type})" if self.class_type else ""
        where = f"Node {self.node}{type}: " if self.node else ""
        return where + self.message + (f" {self.hint}" if self.hint else "")


@dataclass(slots=True)
class Report:
    """Collects at most ``MAX_DIAGNOSTICS`` remarks and counts the rest."""

    entries: list[Diagnostic] = field(default_factory=list)
    left_out: int = 0

    def add(self, code: str, message: str, *, got: Any = None, level: Level = "warning", **where: str | None) -> None:
        if len(self.entries) >= MAX_DIAGNOSTICS:
            self.left_out += 1
            return
        text = None if got is None else told(got)
        short = {name: None if value is None else shortened(value) for name, value in where.items()}
        self.entries.append(Diagnostic(code, shortened(message, MAX_MESSAGE), got=text, level=level, **short))

    def finish(self) -> tuple[Diagnostic, ...]:
        if not self.left_out:
            return tuple(self.entries)
        last = Diagnostic("more", f"{self.left_out} further remarks are left out.", level="info")
        return (*self.entries, last)


def told(value: Any) -> str:
    """Return a short text of any JSON value, without descending into it."""
    match value:
        case str():
            return shortened(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() if value.bit_length() > 256:
            return f"a number of {value.bit_length()} bits"
        case int() | float():
            return repr(value)
        case list() | tuple():
            return f"a list of {len(value)}"
        case dict():
            return shortened(f"an object with {', '.join(str(key) for key in list(value)[:8]) or 'no keys'}")
    return type(value).__name__
