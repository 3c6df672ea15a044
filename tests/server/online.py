"""A whole server on the loopback, in a thread of its own, for tests that talk to it from outside."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from server.app.application import application
from server.app.services import Services
from server.security.access import Access
from server.security.connections import bounded
from server.security.guard import guarded
from tests.server.words import served


@dataclass(frozen=True)
class Online:
    """A server that runs: where, with what, and the loop that it runs on."""

    url: str
    services: Services
    loop: asyncio.AbstractEventLoop

    def do(self, coroutine: Any) -> Any:
        """Run a coroutine where the server runs, and return what it gives."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)


@contextmanager
def online(folder: Path, access: Access | None = None, **more: Any) -> Iterator[Online]:
    """Serve the words of the tests while the block lasts."""
    access = access or Access()
    ready = threading.Event()
    found: list[Any] = []

    async def serve() -> None:
        async with served(folder, **more) as services:
            config = uvicorn.Config(
                guarded(application(services), access), port=0, http=bounded(AutoHTTPProtocol, access.limits),
                ws="websockets-sansio", lifespan="off", log_config=None, access_log=False,
            )  # fmt: skip
            server = uvicorn.Server(config)
            running = asyncio.create_task(server.serve())
            while not server.started:
                await asyncio.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            ended = asyncio.Event()
            found.extend([Online(f"http://127.0.0.1:{port}", services, asyncio.get_running_loop()), ended])
            ready.set()
            await ended.wait()
            server.should_exit = True
            await running

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(30)
    here, ended = found
    try:
        yield here
    finally:
        here.loop.call_soon_threadsafe(ended.set)
        thread.join(30)
        assert not thread.is_alive()
