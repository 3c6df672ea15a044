"""uvicorn's WebSocket, with one thing more: a connection whose client stopped reading can be cut off.

A close frame waits behind what the client does not read, and so does an orderly end of the connection. What cuts it off
is in ``scope["state"]["abort"]``.
"""

from asyncio import BaseTransport, Transport
from typing import cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

LARGEST_FRAME = 64 * 2**20
"""Bytes of a message at which a connection is closed. Above a quarter of it, the client is told what it did."""


class SocketProtocol(WebSocketsSansIOProtocol):
    """For ``uvicorn.Config(ws=SocketProtocol)``."""

    def connection_made(self, transport: BaseTransport) -> None:
        """Take the transport, and show the application how to cut it off."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "abort": cast(Transport, transport).abort}
