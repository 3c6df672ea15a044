"""The graphs that a session had: what undo leads back to, and redo forth. Values; every step gives another history."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.formats import Diagnostic
from server.session.errors import NoStep

Prompt = Mapping[str, Mapping[str, Any]]
MOST_STEPS = 100


@dataclass(frozen=True, slots=True)
class Version:
    """A graph as it was: in the API format, and while it is as it was opened, the document that an editor saved."""

    prompt: Prompt
    saved: Mapping[str, Any] | None = None
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """The graphs before the one of now, newest last, and those that were undone, the next last.

    ``step`` is the name of the step that led to now. What follows under the same name belongs to it.
    """

    past: tuple[Version, ...] = ()
    future: tuple[Version, ...] = ()
    step: str | None = None

    def after(self, now: Version, step: str | None) -> "History":
        """Return the history once ``now`` is changed."""
        if step is not None and step == self.step:
            return History(self.past, (), step)
        return History((*self.past, now)[-MOST_STEPS:], (), step)

    def undo(self, now: Version) -> tuple[Version, "History"]:
        """Return the graph before, and the history there. Raises NoStep."""
        if not self.past:
            raise NoStep("There is nothing to undo.", hint="Edit the graph first.")
        return self.past[-1], History(self.past[:-1], (*self.future, now))

    def redo(self, now: Version) -> tuple[Version, "History"]:
        """Return the graph that was undone last, and the history there. Raises NoStep."""
        if not self.future:
            raise NoStep("There is nothing to redo.", hint="Undo something first; an edit ends what can be redone.")
        return self.future[-1], History((*self.past, now), self.future[:-1])
