"""A server in a thread, for tests of what has no event loop of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.server.socket.online import online


class Background:
    """A server whose loop runs in another thread. ``url`` is where it is."""

    def __init__(self, folder: Path) -> None:
        self.url = ""
        self._folder = folder
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with online(self._folder) as self.server:
            self.url = self.server.url.replace("ws", "http", 1).removesuffix("/api/v1/ws")
            self._up.set()
            await self._over.wait()

    def start(self) -> None:
        self._thread.start()
        assert self._up.wait(20)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def cut_off(self) -> None:
        """Cut every connection, as a network that fails does."""
        self._loop.call_soon_threadsafe(self.server.cut_off)


@contextmanager
def in_background(folder: Path) -> Iterator[Background]:
    background = Background(folder)
    background.start()
    try:
        yield background
    finally:
        background.stop()
