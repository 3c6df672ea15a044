"""When a connection ends whose client answers no ping, against real sockets."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from server.socket.transport import SocketProtocol

pytestmark = pytest.mark.anyio
SECONDS = 0.2
"""Between two pings, and until an answer is due."""

LARGE = b"x" * 12 * 2**20
HANDSHAKE = (
    "GET / HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", "",
)  # fmt: skip


async def send_much(websocket: WebSocket) -> None:
    """Send one large message and a small one, and wait for the end of the connection."""
    await websocket.accept()
    await websocket.send_bytes(LARGE)
    assert websocket.scope["state"]["unsent"]() > 2**20
    with suppress(WebSocketDisconnect):
        await websocket.send_text("after")
        while True:
            await websocket.receive_text()
    websocket.app.state.ended.set()


@pytest.fixture
async def served() -> AsyncIterator[tuple[int, asyncio.Event]]:
    """Serve on a port; the event is set when a connection has ended."""
    app = Starlette(routes=[WebSocketRoute("/", send_much)])
    app.state.ended = asyncio.Event()
    config = uvicorn.Config(
        app, ws=SocketProtocol, ws_per_message_deflate=False, ws_ping_interval=SECONDS, ws_ping_timeout=SECONDS,
        lifespan="off", log_config=None,
    )  # fmt: skip
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield listening.getsockname()[1], app.state.ended
        server.should_exit = True
        await serving


@pytest.fixture
async def client(served: tuple[int, asyncio.Event]) -> AsyncIterator[socket.socket]:
    """Open a WebSocket whose client answers no ping."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", served[0]))
        await loop.sock_sendall(client, "\r\n".join(HANDSHAKE).encode())
        yield client


async def test_who_reads_something_large_may_answer_late(served: tuple[int, asyncio.Event], client: socket.socket):
    loop, got = asyncio.get_running_loop(), bytearray()
    began = loop.time()
    async with asyncio.timeout(20):
        while part := await loop.sock_recv(client, 2**18):
            got += part
            await asyncio.sleep(0.01)
    assert loop.time() - began > 4 * SECONDS
    start = got.index(struct.pack(">BBQ", 0x82, 127, len(LARGE))) + 10
    assert got[start : start + len(LARGE)] == LARGE
    assert struct.pack(">BB", 0x81, 5) + b"after" in got[start + len(LARGE) :]
    assert struct.pack(">H", 1011) + b"keepalive ping timeout" in got[start + len(LARGE) :]


async def test_who_reads_nothing_is_cut_off(served: tuple[int, asyncio.Event], client: socket.socket):
    async with asyncio.timeout(20):
        await served[1].wait()
