"""A server over loopback, and clients of its socket that say what they mean."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from server.app.host import Uvicorn, bind, configured
from server.app.services import Services
from server.security.access import read_access
from tests.server.words import served

Message = dict[str, Any]
PATIENCE = 60.0
"""Seconds after which a test gives up waiting."""


class Server:
    """A server that is up."""

    def __init__(self, services: Services, port: int, serving: Uvicorn) -> None:
        self.services = services
        self._serving = serving
        self.url = f"ws://127.0.0.1:{port}/api/v1/ws"

    async def is_alone(self) -> None:
        """Wait until it has no connection any more."""
        async with asyncio.timeout(PATIENCE):
            while self._serving.server_state.connections:
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator["Client"]:
        async with connect(self.url, max_size=None, **options) as connection:
            yield Client(connection)


class Client:
    """A client that keeps everything it was sent, in order, in ``seen``; ``nodes`` are the states of its session."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.seen: list[Message] = []
        self.nodes: dict[str, Message] = {}
        self._id = 0

    async def next(self) -> Message:
        frame = await self.connection.recv()
        if isinstance(frame, bytes):
            end = 4 + int.from_bytes(frame[:4], "big")
            message = json.loads(frame[4:end]) | {"data": frame[end:]}
        else:
            message = json.loads(frame)
        self.seen.append(message)
        self.nodes |= message.get("nodes", {}) | message.get("result", {}).get("nodes", {})
        return message

    def states(self, *ids: str) -> dict[str, str]:
        """Return the states of some nodes, or of all."""
        return {id: node["state"] for id, node in self.nodes.items() if id in ids or not ids}

    async def all_remembered(self, *ids: str) -> None:
        """Wait until nodes are remembered."""
        async with asyncio.timeout(PATIENCE):
            while set(self.states(*ids).values()) != {"remembered"}:
                await self.next()

    async def until(self, test: Callable[[Message], bool]) -> Message:
        async with asyncio.timeout(PATIENCE):
            while not test(message := await self.next()):
                pass
        return message

    def told(self, event: str) -> list[Message]:
        """Return the events of a kind that came."""
        return [message for message in self.seen if message["event"] == event]

    async def send(self, command: str, **fields: Any) -> int:
        self._id += 1
        await self.connection.send(json.dumps({"id": self._id, "command": command, **fields}))
        return self._id

    async def ask(self, command: str, **fields: Any) -> Message:
        """Send a command and return its reply or error."""
        id = await self.send(command, **fields)
        return await self.until(lambda message: message.get("id") == id)

    async def result(self, command: str, **fields: Any) -> Message:
        reply = await self.ask(command, **fields)
        assert reply["event"] == "reply", reply
        result: Message = reply["result"]
        return result

    async def ended(self, job: str) -> Message:
        """Wait for the end of a job."""
        return await self.until(
            lambda message: message.get("job") == job and message.get("kind") in ("succeeded", "failed", "cancelled")
        )

    def facts(self) -> list[int]:
        """Return the numbers of the facts that came, in the order in which they came."""
        return [message["seq"] for message in self.told("fact")]


@asynccontextmanager
async def online(folder: Path, **options: Any) -> AsyncIterator[Server]:
    async with served(folder, **options) as services:
        listening = bind("127.0.0.1", 0)
        host, port = listening.getsockname()
        server = Uvicorn(configured(services, read_access(host, port)))
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            while not server.started:
                await asyncio.sleep(0.005)
            yield Server(services, port, server)
        finally:
            server.should_exit = True
            await task
