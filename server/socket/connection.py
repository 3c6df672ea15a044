"""One connection: frames in, messages out. Every command gets one reply, whatever it is."""

import asyncio
import logging
import time
from typing import assert_never

from engine import Engine
from engine.errors import LoomisError
from server.batches.service import Batches
from server.jobs.service import Jobs
from server.protocol import commands, results
from server.protocol.codec import LARGEST_MESSAGE, Form, Frame, Unreadable, read_command
from server.protocol.commands import Command
from server.protocol.messages import Heartbeat, Hello, Refused, Reply
from server.protocol.model import Part
from server.protocol.parts import ErrorData
from server.socket import batches, queue
from server.socket.desks import Desks
from server.socket.facts import job_message
from server.socket.listening import Listening
from server.socket.sender import HEARTBEAT_SECONDS, Sender
from server.socket.sessions import Answer, Sessions

LOG = logging.getLogger("loomis.socket")


class Connection:
    """What one client may do. ``handle`` takes its frames one after the other."""

    def __init__(
        self, engine: Engine, jobs: Jobs, batches: Batches, desks: Desks, form: Form, sender: Sender, version: str
    ) -> None:
        self._jobs = jobs
        self._batches = batches
        self._form = form
        self._sender = sender
        self.listening = Listening(jobs, sender)
        self._sessions = Sessions(engine, desks, self.listening, sender.put)
        self._version = version

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Say hello and listen."""
        self._group = group
        self._sender.put(
            Hello(
                server=self._version, seq=self._jobs.seq, heartbeat=HEARTBEAT_SECONDS, largest_message=LARGEST_MESSAGE
            )
        )
        group.create_task(self.listening.hear_sessions())
        group.create_task(self.listening.look_at_sessions())

    async def handle(self, frame: Frame) -> None:
        """Do what a frame asks for, and reply."""
        command = read_command(frame, self._form)
        if isinstance(command, Unreadable):
            self._sender.put(Refused(id=command.id, error=ErrorData.of(command.error)))
            return
        try:
            answer = await self._do(command)
        except LoomisError as error:
            self._sender.put(Refused(id=command.id, error=ErrorData.of(error)))
        except Exception as error:  # a mistake of ours costs one reply, not the connection
            LOG.exception("The command %s failed.", type(command).__name__)
            told = LoomisError(
                f"Loomis made a mistake: {type(error).__name__}: {error}", hint="Report it with the log."
            )
            self._sender.put(Refused(id=command.id, error=ErrorData.of(told)))
        else:
            self._sender.put(Reply(id=command.id, result=answer.result.model_dump(), data=answer.data))

    async def _do(self, command: Command) -> Answer:
        match command:
            case commands.SessionOpen():
                return await self._sessions.open(command)
            case commands.SessionGet():
                return await self._sessions.get(command)
            case commands.SessionEdit():
                return await self._sessions.edit(command)
            case commands.SessionLoad():
                return await self._sessions.load(command)
            case commands.SessionUndo() | commands.SessionRedo():
                return await self._sessions.step(command)
            case commands.SessionPlan():
                return await self._sessions.plan(command)
            case commands.SessionRun():
                return await self._sessions.run(command)
            case commands.SessionCancel():
                return await self._sessions.cancel(command)
            case commands.SessionLive():
                return await self._sessions.live(command)
            case commands.SessionClose():
                return await self._sessions.close(command)
            case commands.ValueGet():
                return await self._sessions.value(command)
        return Answer(await self._do_with_batches(command) or await self._do_with_jobs(command))

    async def _do_with_batches(self, command: Command) -> Part | None:
        match command:
            case commands.BatchSubmit():
                return await batches.submit(self._batches, command)
            case commands.BatchGet():
                return batches.get(self._batches, command)
            case commands.BatchList():
                return await batches.page(self._batches, command)
            case commands.BatchRows():
                return await batches.rows(self._batches, command)
            case commands.BatchCancel():
                return await batches.cancel(self._batches, command)
        return None

    async def _do_with_jobs(self, command: Command) -> Part:
        jobs = self._jobs
        match command:
            case commands.JobSubmit():
                return await queue.submit(jobs, command)
            case commands.JobGet(job=job):
                return job_message(jobs.get(job))
            case commands.JobList():
                return await queue.page(jobs, command)
            case commands.JobCancel(job=job):
                return job_message(await jobs.cancel(job))
            case commands.JobMove(job=job, priority=priority, front=front):
                return job_message(await jobs.move(job, priority=priority, front=front))
            case commands.QueueReorder():
                return await queue.reorder(jobs, command)
            case commands.QueuePause() | commands.QueueResume():
                return await queue.pause(jobs, isinstance(command, commands.QueuePause))
            case commands.QueueGet():
                return queue.queue(jobs)
            case commands.Subscribe():
                seq = await self.listening.subscribe(command.jobs, command.since, command.previews, self._group)
                return results.Subscribed(seq=seq)
            case commands.Unsubscribe():
                self.listening.unsubscribe()
                return results.Done()
            case commands.Ping():
                return results.Pong(time=time.time())
        assert_never(command)  # type: ignore[arg-type]

    def heartbeat(self) -> Heartbeat:
        """Say that the server is there."""
        return Heartbeat(seq=self._jobs.seq)

    async def leave(self) -> None:
        """The client is gone."""
        await self._sessions.leave()
