"""The WebSocket endpoint and the schema of its messages.

Close codes: 1009 for a message of more than the transport takes, 1011 for a client that does not answer pings, 1012 as
the server ends, 4000 for a subprotocol that is not known, 4008 for a client that reads too slowly (one that reads
nothing at all is cut off without it).
"""

import asyncio
import time
from contextlib import suppress
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from server.app.services import services
from server.protocol.codec import FORMS, Frame
from server.protocol.outbox import Outbox
from server.protocol.schema import protocol_schema
from server.socket.connection import Connection
from server.socket.desks import Desks
from server.socket.sender import Sender

UNKNOWN_SUBPROTOCOL = 4000
TOO_SLOW = 4008
GRACE_SECONDS = 2.0
"""How long a client that reads too slowly may take to hear that it is cut off."""

COMMANDS_PER_SECOND = 500.0
BURST = 1000


class Pace:
    """Slows down a client that sends more commands than a person or a program at work does."""

    def __init__(self) -> None:
        self._left = float(BURST)
        self._at = time.monotonic()

    def delay(self) -> float:
        """Count a command, and return the seconds to wait before the next."""
        now = time.monotonic()
        self._left = min(BURST, self._left + (now - self._at) * COMMANDS_PER_SECOND) - 1
        self._at = now
        return max(0.0, -self._left / COMMANDS_PER_SECOND)


class TooSlow(Exception):
    """The client reads too slowly."""


async def socket(websocket: WebSocket) -> None:
    """Serve one client until it leaves."""
    offered = websocket.scope["subprotocols"]
    chosen = next((name for name in FORMS if name in offered), None)
    await websocket.accept(subprotocol=chosen)
    if offered and chosen is None:
        await websocket.close(UNKNOWN_SUBPROTOCOL, f"use one of {', '.join(FORMS)}")
        return
    found = services(websocket)
    desks: Desks = websocket.app.state.desks
    form = FORMS[chosen or next(iter(FORMS))]
    outbox: Outbox[Frame] = Outbox()

    async def send(frame: Frame) -> None:
        try:
            await (websocket.send_text(frame) if isinstance(frame, str) else websocket.send_bytes(frame))
        except RuntimeError as error:  # the transport ended the connection, as no ping was answered
            raise WebSocketDisconnect from error

    sender = Sender(form, outbox, send)
    connection = Connection(found.engine, found.jobs, found.batches, desks, form, sender, version("loomis"))
    try:
        async with asyncio.TaskGroup() as group:
            await connection.run(group)
            group.create_task(sender.empty())
            group.create_task(_watch(sender, connection))
            await _read(websocket, connection)
            raise WebSocketDisconnect
    except* WebSocketDisconnect:
        pass
    except* TooSlow:
        await cut_off(websocket, "you read too slowly: connect anew and subscribe since the last number")
    finally:
        await connection.leave()


async def _read(websocket: WebSocket, connection: Connection) -> None:
    """Handle the frames of a client, one after the other."""
    pace = Pace()
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        await connection.handle(message["bytes"] if text is None else text)
        await asyncio.sleep(pace.delay())


async def _watch(sender: Sender, connection: Connection) -> None:
    await sender.watch(connection.heartbeat)
    raise TooSlow


async def cut_off(websocket: WebSocket, reason: str) -> None:
    """Tell a client that it reads too slowly, if it hears that; end the connection in any case."""
    asyncio.get_running_loop().call_later(GRACE_SECONDS, websocket.scope["state"]["abort"])
    with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
        async with asyncio.timeout(GRACE_SECONDS):
            await websocket.close(TOO_SLOW, reason)


async def schema(request: Request) -> Response:
    """The JSON schema of all messages."""
    return JSONResponse(protocol_schema())


ROUTES: list[BaseRoute] = [
    WebSocketRoute("/api/v1/ws", socket),
    Route("/api/v1/protocol.json", schema),
]
