"""uvicorn's WebSocket, with two things more: a connection whose client stopped reading can be cut off, and only that.

A close frame waits behind what the client does not read, and so does an orderly end of the connection. What cuts it off
is in ``scope["state"]["abort"]``; ``["unsent"]`` gives the bytes that wait here. A ping waits behind them, too.
"""

import socket
import sys
from asyncio import BaseTransport, Transport
from typing import cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

AHEAD_BYTES = 2**17
"""Bytes that the system takes to send and has not sent; without a bound it takes megabytes, and none for seconds."""

LARGEST_FRAME = 64 * 2**20
"""Bytes of a message at which a connection is closed. Above a quarter of it, the client is told what it did."""


class SocketProtocol(WebSocketsSansIOProtocol):
    """For ``uvicorn.Config(ws=SocketProtocol)``."""

    def connection_made(self, transport: BaseTransport) -> None:
        """Take the transport, and show the application how to cut it off and how much of what it sent has not left."""
        super().connection_made(transport)
        writing = cast(Transport, transport)
        if sys.platform != "win32":
            writing.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, AHEAD_BYTES)
        self.app_state = {**self.app_state, "abort": writing.abort, "unsent": writing.get_write_buffer_size}

    def send_keepalive_ping(self) -> None:
        """Send a ping, and note how much is before it."""
        super().send_keepalive_ping()
        self._before = self.transport.get_write_buffer_size()

    def keepalive_timeout(self) -> None:
        """End a connection that did not answer, unless it read meanwhile: then the answer is late for what is large."""
        left = self.transport.get_write_buffer_size()
        if left != self._before and self.ping_timeout is not None:
            self._before = left
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
            return
        super().keepalive_timeout()
        if left:
            self.transport.abort()
