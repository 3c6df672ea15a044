"""``/ws``: ComfyUI's WebSocket."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from server.comfy.client import Client
from server.comfy.hub import Hub
from server.protocol.codec import Frame
from server.socket.endpoint import Pace, TooSlow, cut_off

LONGEST_SID = 200


async def socket(websocket: WebSocket) -> None:
    """Serve one client until it leaves. It is told its ``sid``, which it sends with its prompts."""
    await websocket.accept()
    hub: Hub = websocket.app.state.hub
    client = Client(websocket.query_params.get("clientId", "")[:LONGEST_SID] or uuid4().hex)

    async def send(frame: Frame) -> None:
        await (websocket.send_text(frame) if isinstance(frame, str) else websocket.send_bytes(frame))

    try:
        async with asyncio.TaskGroup() as group:
            await hub.join(client)
            group.create_task(client.empty(send))
            group.create_task(_watch(client, websocket.scope["state"]["unsent"]))
            await _read(websocket, client)
            raise WebSocketDisconnect
    except* WebSocketDisconnect:
        pass
    except* TooSlow:
        await cut_off(websocket, "you read too slowly: connect anew")
    finally:
        await hub.leave(client)


async def _read(websocket: WebSocket, client: Client) -> None:
    pace = Pace()
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        if (frame := message.get("text")) is not None:
            client.hear(frame)
        await asyncio.sleep(pace.delay())


async def _watch(client: Client, unsent: Callable[[], int]) -> None:
    await client.watch(unsent)
    raise TooSlow


ROUTES: list[BaseRoute] = [WebSocketRoute("/ws", socket), WebSocketRoute("/api/ws", socket)]
