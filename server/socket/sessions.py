"""Commands on sessions and values, for one connection."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from engine import Engine
from engine.errors import WorkflowError
from engine.formats import Loaded
from engine.plan import Plan
from server.protocol import commands, results
from server.protocol.model import Part
from server.protocol.parts import DiagnosticData, nodes_data
from server.session.errors import NoSession
from server.session.session import Draft
from server.session.values import show
from server.socket.desk import Desk, Said
from server.socket.desks import Desks
from server.socket.listening import Listening


class Answer(NamedTuple):
    """What a command gave: the result and, for a value, its bytes."""

    result: Part
    data: bytes | None = None


class Sessions:
    """The sessions that one connection watches. ``tell`` takes what live mode has to say."""

    def __init__(self, engine: Engine, desks: Desks, listening: Listening, tell: Callable[[Said], None]) -> None:
        self._engine = engine
        self._desks = desks
        self._listening = listening
        self._watched = listening.sessions
        self._tell = tell

    async def open(self, command: commands.SessionOpen) -> Answer:
        """Open a session. Raises what ``Engine.load`` raises, or TooManySessions."""
        desk = await self._desks.open(self._reading(command))
        desk.watch(self._tell, self._watched)
        return Answer(self._data(desk))

    async def load(self, command: commands.SessionLoad) -> Answer:
        """Put another workflow in the place of the graph. Raises what ``Engine.load`` raises."""
        desk = self._desk(command.session)
        read = self._reading(command)
        await desk.change(lambda: desk.session.loaded(read()))
        self._listening.drop_stale(desk)
        return Answer(self._data(desk))

    def _reading(self, command: commands.SessionOpen | commands.SessionLoad) -> Callable[[], Loaded | None]:
        """Return what reads the workflow of a command."""
        if command.workflow is not None and command.data is not None:
            raise WorkflowError(
                "There are two workflows in the command.",
                expected="workflow or data",
                hint="Send JSON as workflow, a file as data, or neither for an empty graph.",
            )
        source = command.workflow if command.workflow is not None else command.data
        return lambda: None if source is None else self._engine.load(source, seed=command.seed)

    async def get(self, command: commands.SessionGet) -> Answer:
        """Take a session, wherever it was, and say how it stands. Raises NoSession or TooManySessions."""
        desk = await self._desks.find(command.session)
        desk.watch(self._tell, self._watched)
        await desk.catch_up()
        self._listening.look(command.session)
        return Answer(self._data(desk))

    def _data(self, desk: Desk) -> results.SessionData:
        session = desk.session
        return results.SessionData(
            session=session.id,
            revision=session.revision,
            graph=dict(session.prompt),
            nodes=nodes_data(session.states, session.errors),
            undo=len(session.history.past),
            redo=len(session.history.future),
            diagnostics=tuple(map(DiagnosticData.of, session.version.diagnostics)),
            live=desk.is_live,
            runs=tuple(results.RunData(job=job, revision=desk.runs[job].revision) for job in desk.under_way),
        )

    def _desk(self, id: str) -> Desk:
        """Return a session that this connection watches."""
        if id not in self._watched:
            raise NoSession(f"This connection has no session {id!r}.", got=id, hint="Send session.get first.")
        return self._watched[id]

    async def edit(self, command: commands.SessionEdit) -> Answer:
        """Change the graph. Raises BadEdit, WorkflowError or Conflict, and nothing was changed then."""
        desk = self._desk(command.session)
        return await self._change(desk, lambda: desk.session.draft(command.edits, command.base, command.step))

    async def step(self, command: commands.SessionUndo | commands.SessionRedo) -> Answer:
        """Undo or redo. Raises NoStep."""
        desk = self._desk(command.session)
        undoes = isinstance(command, commands.SessionUndo)
        return await self._change(desk, desk.session.undo if undoes else desk.session.redo)

    async def _change(self, desk: Desk, draft: Callable[[], Draft]) -> Answer:
        change = await desk.change(draft)
        self._listening.drop_stale(desk)
        history = desk.session.history
        return Answer(
            results.Edited(
                revision=change.revision,
                nodes=nodes_data(change.states, desk.session.errors),
                graph=dict(change.graph),
                removed=change.removed,
                added=change.added,
                undo=len(history.past),
                redo=len(history.future),
            )
        )

    async def plan(self, command: commands.SessionPlan) -> Answer:
        """Say what a run would do. Raises what ``Engine.check`` raises."""
        desk = self._desk(command.session)
        revision, plan = await desk.plan(command.targets, command.partial)
        return Answer(results.PlanData(revision=revision, steps=_steps(plan, desk), seconds=plan.seconds))

    async def run(self, command: commands.SessionRun) -> Answer:
        """Submit a run. Raises what ``Jobs.submit`` raises."""
        job, revision = await self._desk(command.session).run(
            command.targets, partial=command.partial, priority=command.priority, extra=command.extra
        )
        return Answer(results.RunData(job=job, revision=revision))

    async def cancel(self, command: commands.SessionCancel) -> Answer:
        """Cancel what is under way."""
        await self._desk(command.session).cancel()
        return Answer(results.Done())

    async def live(self, command: commands.SessionLive) -> Answer:
        """Turn live mode on or off. Raises WorkflowError for a target that isn't there."""
        await self._desk(command.session).set_live(command.on, command.targets)
        return Answer(results.Done())

    async def close(self, command: commands.SessionClose) -> Answer:
        """Cancel what is under way and forget the session."""
        desk = self._desk(command.session)
        await desk.set_live(False, None)
        await desk.cancel()
        await desk.rest()
        del self._watched[command.session]
        self._desks.close(command.session)
        return Answer(results.Done())

    async def leave(self) -> None:
        """Let go of all sessions; they are kept for a while."""
        while self._watched:  # others take sessions from it meanwhile
            await self._watched.popitem()[1].leave()

    async def value(self, command: commands.ValueGet) -> Answer:
        """Send a value. Raises NotRemembered, or WorkflowError where there is no such output, item or form."""
        revision = values = None
        if command.digest is not None:
            digest = bytes.fromhex(command.digest)
        elif command.session is not None and command.node is not None:
            session = self._desk(command.session).session
            digest, values = session.digest(command.node, command.output, command.value)
            revision = session.revision
        else:
            raise WorkflowError(
                "The command names no value.", expected="session and node, or digest", hint="Name one of them."
            )
        form, item, size = command.format, command.item, command.size
        shown = await asyncio.to_thread(show, self._engine.store, digest, form, item=item, size=size)
        told = results.ValueData(
            digest=digest.hex(),
            format=shown.format,
            revision=revision,
            values=values,
            items=shown.items,
            value=shown.value,
        )
        return Answer(told, shown.data)


def _steps(plan: Plan, desk: Desk) -> dict[str, results.StepData]:
    types = desk.session.prompt
    return {
        id: results.StepData(type=types[id]["class_type"], state=step.state, why=step.why, seconds=step.seconds)
        for id, step in plan.steps.items()
    }
