"""A session on a graph, as its client has it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, cast

from server.protocol import commands, results
from server.protocol.edits import Edit
from server.protocol.model import Part

Ask = Callable[..., tuple[Part, bytes | None]]


class Session:
    """A graph on the server.

    ``graph`` is what it is in the API format and ``nodes`` the state of each node, both as of ``revision``, kept true
    by what replies say.
    """

    def __init__(self, ask: Ask, opened: results.SessionData) -> None:
        self.id = opened.session
        self.opened = opened
        self.revision = opened.revision
        self.graph = dict(opened.graph)
        self.nodes = dict(opened.nodes)
        self._ask = ask

    def edit(self, *edits: Edit, base: int | None = None, step: str | None = None) -> results.Edited:
        """Change the graph: all of the edits, or none. What follows with the same ``step`` is undone together."""
        return self._take(commands.SessionEdit, edits=list(edits), base=base, step=step)

    def undo(self) -> results.Edited:
        """Take the last step back."""
        return self._take(commands.SessionUndo)

    def redo(self) -> results.Edited:
        """Do again what was undone last."""
        return self._take(commands.SessionRedo)

    def load(self, workflow: Mapping[str, Any] | bytes) -> results.SessionData:
        """Put a workflow, or that in the bytes of a file, in the place of the graph."""
        given: dict[str, Any] = {"data": workflow} if isinstance(workflow, bytes) else {"workflow": workflow}
        loaded = cast(results.SessionData, self._ask(commands.SessionLoad, session=self.id, **given)[0])
        self.revision, self.graph, self.nodes = loaded.revision, dict(loaded.graph), dict(loaded.nodes)
        return loaded

    def _take(self, command: type[commands.Command], **fields: Any) -> results.Edited:
        edited = cast(results.Edited, self._ask(command, session=self.id, **fields)[0])
        self.revision = edited.revision
        self.graph = {id: node for id, node in self.graph.items() if id not in edited.removed} | edited.graph
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
