"""One connection to a server, for programs without an event loop. See ``server.client``."""

import itertools
import ssl
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from engine.errors import JobError, NoSuchJob
from server.client.errors import Unreachable, to_error
from server.client.session import Session
from server.protocol import commands, results
from server.protocol.codec import FORMS, read_message, write_command
from server.protocol.commands import Command
from server.protocol.messages import ENDS, Fact, Heartbeat, Hello, Message, Pruned, Refused, Reply
from server.protocol.model import Part

SUBPROTOCOL = "loomis.v1.msgpack"
PATH = "/api/v1/ws"
CONNECT_SECONDS = 10.0
TRIES = 6
"""How often a connection that was lost is tried again: after 0.1 s, then twice as long each time."""

R = TypeVar("R", bound=Part)


class Client:
    """A client of the server at ``url`` (``http://host:port``). ``token`` lets it in where one is needed.

    Not for use by several threads at once. Every method raises Unreachable when the connection is lost, and what the
    server says is wrong as the LoomisError that it was there.
    """

    def __init__(self, url: str, *, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._form = FORMS[SUBPROTOCOL]
        self._ids = itertools.count(1)
        self._events: deque[Message] = deque()
        self._open = ExitStack()
        self._socket = self._connect()

    def _connect(self) -> ClientConnection:
        address = self.url.replace("http", "ws", 1) + PATH
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            return self._open.enter_context(
                connect(
                    address,
                    subprotocols=[Subprotocol(SUBPROTOCOL)],
                    additional_headers=headers,
                    open_timeout=CONNECT_SECONDS,
                    max_size=None,
                    compression=None,
                    proxy=None,
                )
            )
        except InvalidStatus as error:
            status = error.response.status_code
            denied = status in (401, 403)
            hint = "Set LOOMIS_TOKEN to the server's token." if denied else "Check the address."
            raise self._unreachable(f"it answers with status {status}", hint) from error
        except (OSError, ssl.SSLError, WebSocketException, ValueError) as error:
            hint = "Start one with `loomis serve`, or name another with --server."
            raise self._unreachable(str(error) or type(error).__name__, hint) from error

    def _unreachable(self, why: str, hint: str) -> Unreachable:
        return Unreachable(
            f"The server at {self.url} can't be reached: {why}.", got=self.url, expected="a running server", hint=hint
        )

    def close(self) -> None:
        """End the connection."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Commands and events.

    def ask(self, kind: type[Command], **fields: Any) -> tuple[Part, bytes | None]:
        """Send a command and return its result and, for a value, the bytes. Events that come first are kept."""
        id = next(self._ids)
        command = kind(id=id, command=commands.command_name(kind), **fields)  # type: ignore[call-arg]
        self._send(write_command(command, self._form))
        while True:
            message = self._receive(None)
            match message:
                case Reply() if message.id == id:
                    return kind.result.model_validate(message.result), message.data
                case Refused() if message.id == id:
                    raise to_error(message.error)
                case _ if message is not None:
                    self._events.append(message)

    def _result(self, expected: type[R], kind: type[Command], **fields: Any) -> R:
        return cast(R, self.ask(kind, **fields)[0])

    def event(self, timeout: float | None = None) -> Message | None:
        """Return the next event; None when there was none for ``timeout`` seconds."""
        while True:
            message = self._events.popleft() if self._events else self._receive(timeout)
            if not isinstance(message, Heartbeat | Hello):
                return message

    def _send(self, frame: str | bytes) -> None:
        try:
            self._socket.send(frame)
        except ConnectionClosed as error:
            raise self._lost(error) from error

    def _receive(self, timeout: float | None) -> Message | None:
        try:
            return read_message(self._socket.recv(timeout), self._form)
        except TimeoutError:
            return None
        except ConnectionClosed as error:
            raise self._lost(error) from error

    def _lost(self, error: ConnectionClosed) -> Unreachable:
        why = error.rcvd.reason or f"it closed the connection with {error.rcvd.code}" if error.rcvd else "it is gone"
        return self._unreachable(why, "See what its log says, and try again.")

    # Jobs.

    def submit(
        self,
        workflow: Mapping[str, Any],
        parameters: Mapping[str, Any] | None = None,
        *,
        job: str | None = None,
        targets: Sequence[str] | None = None,
        partial: bool = False,
        priority: int = 0,
        front: bool = False,
        timeout: float | None = None,
        labels: Sequence[str] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> results.JobData:
        """Submit a job. With an id of your own (``job``) it can be submitted again and is still one job."""
        return self._result(
            results.JobData,
            commands.JobSubmit,
            workflow=dict(workflow),
            job=job,
            parameters=dict(parameters or {}),
            targets=None if targets is None else list(targets),
            partial=partial,
            priority=priority,
            front=front,
            timeout=timeout,
            labels=list(labels),
            extra=dict(extra or {}),
        )

    def job(self, id: str) -> results.JobData:
        """Return a job as it stands."""
        return self._result(results.JobData, commands.JobGet, job=id)

    def jobs(
        self,
        states: Sequence[str] = (),
        *,
        label: str | None = None,
        start: str = "",
        rows: bool = True,
        limit: int = 100,
        offset: int = 0,
    ) -> results.JobsData:
        """Return a page of jobs, newest first; ``start`` is what their ids begin with.

        Without ``rows`` those of batches are left out.
        """
        asked = {"states": list(states), "label": label, "start": start, "rows": rows, "limit": limit, "offset": offset}
        return self._result(results.JobsData, commands.JobList, **asked)

    def find(self, start: str) -> results.JobData | results.BatchData:
        """Return the job or batch of this id, or the only one whose id begins so. A batch stands for its jobs.

        Raises:
            NoSuchJob: there is none.
            JobError: there are several.
        """
        batches = self.batches(start=start, limit=10)
        page = self.jobs(start=start, rows=not batches.total, limit=10)
        both: list[results.JobData | results.BatchData] = [*batches.batches, *page.jobs]
        total = batches.total + page.total
        if found := [each for each in both if each.id == start] or (both if total == 1 else []):
            return found[0]
        if not both:
            raise NoSuchJob(f"There is no job whose id begins with {start!r}.", got=start, hint="See `loomis jobs`.")
        raise JobError(
            f"The ids of {total} jobs begin with {start!r}.",
            got=start,
            expected="more of the id of one: " + ", ".join(f"{each.id} ({each.state})" for each in both),
        )

    def cancel(self, id: str) -> results.JobData:
        """Cancel a job."""
        return self._result(results.JobData, commands.JobCancel, job=id)

    def queue(self) -> results.QueueData:
        """Return what waits and runs."""
        return self._result(results.QueueData, commands.QueueGet)

    def pause(self) -> results.QueueData:
        """Start no more jobs."""
        return self._result(results.QueueData, commands.QueuePause)

    def resume(self) -> results.QueueData:
        """Start jobs again."""
        return self._result(results.QueueData, commands.QueueResume)

    def reorder(self, ids: Sequence[str]) -> results.QueueData:
        """Let jobs that wait take, in this order, the places that they hold now."""
        return self._result(results.QueueData, commands.QueueReorder, jobs=list(ids))

    def subscribe(
        self, jobs: Collection[str] | None = None, *, since: int | None = None, previews: bool = False
    ) -> int:
        """Have what happens to jobs (None: to all) come as events; return the number after which facts come."""
        wanted = None if jobs is None else list(jobs)
        found = self._result(results.Subscribed, commands.Subscribe, jobs=wanted, since=since, previews=previews)
        return found.seq

    def watch(self, *jobs: str, since: int | None = 0, previews: bool = False) -> Iterator[Message]:
        """Yield what happens to jobs until all have ended; without jobs, to all of them, for ever.

        A connection that is lost is made anew, and nothing is missed or told twice.

        Raises:
            NoSuchJob: one of them isn't known.
        """
        open_ = {self.job(id).id for id in jobs}
        seq = self.subscribe(jobs or None, since=since, previews=previews)
        while open_ or not jobs:
            try:
                message = self.event()
            except Unreachable:
                self._reconnect()
                self.subscribe(jobs or None, since=seq, previews=previews)
                continue
            if isinstance(message, Fact):
                seq = message.seq
                open_ -= {message.job} if message.kind in ENDS else set()
            elif isinstance(message, Pruned):
                seq = message.seq
                open_ &= {job.id for job in message.jobs}
            if message is not None:
                yield message

    def _reconnect(self) -> None:
        """Connect anew. Raises Unreachable when the server does not come back."""
        self._events.clear()
        self._open.close()
        for attempt in range(TRIES):
            time.sleep(0.1 * 2**attempt)
            try:
                self._socket = self._connect()
                return
            except Unreachable:
                if attempt == TRIES - 1:
                    raise

    # Batches.

    def submit_batch(self, workflow: Mapping[str, Any], **asked: Any) -> results.BatchData:
        """Submit a batch. ``asked`` are the other fields of ``commands.BatchSubmit``: rows, grid, out and so on."""
        return self._result(results.BatchData, commands.BatchSubmit, workflow=dict(workflow), **asked)

    def batch(self, id: str) -> results.BatchData:
        """Return a batch as it stands."""
        return self._result(results.BatchData, commands.BatchGet, batch=id)

    def batches(self, *, start: str = "", limit: int = 100, offset: int = 0) -> results.BatchesData:
        """Return a page of batches, newest first; ``start`` is what their ids begin with."""
        return self._result(results.BatchesData, commands.BatchList, start=start, limit=limit, offset=offset)

    def batch_rows(self, id: str, *, limit: int = 1000, offset: int = 0) -> results.RowsData:
        """Return what became of some rows of a batch."""
        return self._result(results.RowsData, commands.BatchRows, batch=id, limit=limit, offset=offset)

    def cancel_batch(self, id: str) -> results.BatchData:
        """Cancel a batch and return how it stands."""
        return self._result(results.BatchData, commands.BatchCancel, batch=id)

    def watch_batch(self, id: str) -> Iterator[Fact]:
        """Yield what becomes of the rows of a batch until it has ended: first of those that have ended already.

        A connection that is lost is made anew, and nothing is missed or told twice.

        Raises:
            NoSuchJob: it isn't known.
        """
        seq = self.subscribe([self.batch(id).id], since=0)
        while True:
            try:
                message = self.event()
            except Unreachable:
                self._reconnect()
                self.subscribe([id], since=seq)
                continue
            if isinstance(message, Fact):
                seq = message.seq
                yield message
                went_on = message.body.get("state") == "stopped" and self.batch(id).state == "running"
                if message.kind == "batch_ended" and not went_on:
                    return

    # Sessions.

    def open(self, workflow: Mapping[str, Any] | bytes | None = None, *, seed: int = 0) -> Session:
        """Open a session on a workflow, on the bytes of a file that carries one, or on an empty graph."""
        given: dict[str, Any] = {"data": workflow} if isinstance(workflow, bytes) else {"workflow": workflow}
        return Session(self.ask, self._result(results.SessionData, commands.SessionOpen, seed=seed, **given))

    def session(self, id: str) -> Session:
        """Return a session that an earlier connection left."""
        return Session(self.ask, self._result(results.SessionData, commands.SessionGet, session=id))
