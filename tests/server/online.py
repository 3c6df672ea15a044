"""A whole server on the loopback, in a thread of its own, for tests that talk to it from outside."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.app.host import Uvicorn, bind, configured
from server.app.services import Services
from server.security.access import Access
from tests.server.words import served


@dataclass(frozen=True)
class Online:
    """A server that runs: where, with what, and the loop that it runs on."""

    port: int
    services: Services
    loop: asyncio.AbstractEventLoop
    serving: Uvicorn

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def do(self, coroutine: Any) -> Any:
        """Run a coroutine where the server runs, and return what it gives."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def cut_off(self) -> None:
        """Cut every connection, as a network that fails does."""

        def cut() -> None:
            for connection in list(self.serving.server_state.connections):
                connection.transport.abort()

        self.loop.call_soon_threadsafe(cut)


@contextmanager
def online(folder: Path, access: Access | None = None, port: int = 0, **more: Any) -> Iterator[Online]:
    """Serve the words of the tests while the block lasts."""
    started: Future[tuple[Online, asyncio.Event]] = Future()
    thread = threading.Thread(target=asyncio.run, args=[_serve(started, folder, access or Access(), port, more)])
    thread.start()
    here, ended = started.result(30)
    try:
        yield here
    finally:
        here.loop.call_soon_threadsafe(ended.set)
        thread.join(30)
        assert not thread.is_alive()


async def _serve(
    started: "Future[tuple[Online, asyncio.Event]]", folder: Path, access: Access, port: int, more: dict[str, Any]
) -> None:
    try:
        async with served(folder, **more) as services:
            listening = bind("127.0.0.1", port)
            config = configured(services, access)
            config.timeout_graceful_shutdown = 1
            server = Uvicorn(config)
            running = asyncio.create_task(server.serve(sockets=[listening]))
            while not server.started:
                await asyncio.sleep(0.01)
            ended = asyncio.Event()
            here = Online(listening.getsockname()[1], services, asyncio.get_running_loop(), server)
            started.set_result((here, ended))
            await ended.wait()
            server.should_exit = True
            await running
    except BaseException as error:
        if not started.done():
            started.set_exception(error)
        raise
