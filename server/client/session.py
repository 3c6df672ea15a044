"""A session on a graph, as its client has it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, cast

from server.protocol import commands, results
from server.protocol.edits import Edit
from server.protocol.model import Part

Ask = Callable[..., tuple[Part, bytes | None]]


class Session:
    """A graph on the server. ``nodes`` is the state of each node as of ``revision``, kept true by what replies say."""

    def __init__(self, ask: Ask, opened: results.SessionData) -> None:
        self.id = opened.session
        self.opened = opened
        self.revision = opened.revision
        self.nodes = dict(opened.nodes)
        self._ask = ask

    def edit(self, *edits: Edit, base: int | None = None) -> results.Edited:
        """Change the graph: all of the edits, or none."""
        found = self._ask(commands.SessionEdit, session=self.id, edits=list(edits), base=base)[0]
        edited = cast(results.Edited, found)
        self.revision = edited.revision
        self.nodes = {id: node for id, node in self.nodes.items() if id not in edited.removed} | edited.nodes
        return edited

    def plan(self, targets: Sequence[str] | None = None, *, partial: bool = False) -> results.PlanData:
        """Return what a run would do, why, and for how long."""
        wanted = None if targets is None else list(targets)
        found = self._ask(commands.SessionPlan, session=self.id, targets=wanted, partial=partial)[0]
        return cast(results.PlanData, found)

    def run(
        self, targets: Sequence[str] | None = None, *, partial: bool = False, extra: Mapping[str, Any] | None = None
    ) -> results.RunData:
        """Run the graph as it stands, to some nodes or to all outputs. What happens comes as events."""
        wanted = None if targets is None else list(targets)
        found = self._ask(
            commands.SessionRun, session=self.id, targets=wanted, partial=partial, extra=dict(extra or {})
        )[0]
        return cast(results.RunData, found)

    def live(self, on: bool = True, targets: Sequence[str] | None = None) -> None:
        """Turn live mode on or off."""
        wanted = None if targets is None else list(targets)
        self._ask(commands.SessionLive, session=self.id, on=on, targets=wanted)

    def cancel(self) -> None:
        """Cancel what is under way."""
        self._ask(commands.SessionCancel, session=self.id)

    def value(
        self,
        node: str,
        output: int | str = 0,
        *,
        format: Literal["auto", "png", "webp", "json", "safetensors"] = "auto",
        value: int = 0,
        item: int = 0,
        size: int | None = None,
    ) -> tuple[results.ValueData, bytes | None]:
        """Return a value of a node that is remembered, and its bytes unless it is JSON."""
        found, data = self._ask(
            commands.ValueGet,
            session=self.id,
            node=node,
            output=output,
            format=format,
            value=value,
            item=item,
            size=size,
        )
        return cast(results.ValueData, found), data

    def close(self) -> None:
        """Close the session. What is under way is cancelled."""
        self._ask(commands.SessionClose, session=self.id)
