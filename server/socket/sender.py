"""What one client is sent: taken from its outbox at the speed at which it reads, with a heartbeat where it is still."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from server.protocol.codec import Form, Frame, write_message
from server.protocol.messages import Message
from server.protocol.outbox import Name, Outbox

HEARTBEAT_SECONDS = 15.0
CHECK_SECONDS = 0.25
LOW_WATER = 4 * 2**20
"""Bytes that wait below which more is taken from where facts are kept."""


class Sender:
    """The outbox of one connection, and the task that empties it."""

    def __init__(self, form: Form, outbox: Outbox[Frame], send: Callable[[Frame], Awaitable[None]]) -> None:
        self._form = form
        self._outbox = outbox
        self._send = send
        self._filled = asyncio.Event()
        self._low = asyncio.Event()
        self._low.set()
        self.last = time.monotonic()

    def put(self, message: Message) -> None:
        """Send what must arrive."""
        self._outbox.put(write_message(message, self._form))
        self._wake()

    def put_latest(self, name: Name, message: Message) -> None:
        """Send what only matters as long as there is nothing newer of that name."""
        self._outbox.put_latest(name, write_message(message, self._form))
        self._wake()

    def drop(self, over: Callable[[Name], bool]) -> None:
        """Take back what can be replaced, was not sent yet and has a name that is over."""
        self._outbox.drop(over)

    def _wake(self) -> None:
        self._filled.set()
        if self._outbox.nbytes > LOW_WATER:
            self._low.clear()

    async def has_room(self) -> None:
        """Wait until little is left to send."""
        await self._low.wait()

    async def empty(self) -> None:
        """Send what waits, for ever."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while (frame := self._outbox.take()) is not None:
                await self._send(frame)
                self.last = time.monotonic()
                if self._outbox.nbytes <= LOW_WATER:
                    self._low.set()

    async def watch(self, heartbeat: Callable[[], Message]) -> None:
        """Return when the client reads too slowly. Send a heartbeat when nothing was sent for a while."""
        while not self._outbox.too_slow():
            await asyncio.sleep(CHECK_SECONDS)
            if time.monotonic() - self.last > HEARTBEAT_SECONDS:
                self.put(heartbeat())
                self.last = time.monotonic()
