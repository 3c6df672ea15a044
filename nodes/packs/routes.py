"""The routes of packs: each pack's are served by aiohttp, which it was written for, inside the process that has it.

The socket is one that nobody else can reach: a Unix socket in a folder of this process.
"""

import asyncio
import inspect
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from nodes.packs import current
from nodes.packs.names.server import PromptServer, Route

Answer: TypeAlias = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers and body."""

LARGEST_BODY = 2**28

LARGEST_ANSWER = 2**25
"""Bytes of an answer at most. It goes to the server whole, among what is told of jobs."""

ANSWER_SECONDS = 110.0
"""How long a pack may take for an answer: a little less than the server waits for it."""

TOO_LARGE = f"The node pack answered with more than {LARGEST_ANSWER >> 20} MB.".encode()
HOPS = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date", "server"})
"""Headers that are about the way of one request, not about what it carries."""

_lock = threading.Lock()


def routes_of(pack: str) -> Iterator[Route]:
    """Yield the routes that a pack has registered: of two with one path, the last."""
    found = {(route.method, route.path): route for route in PromptServer.instance.routes if route.pack == pack}
    yield from found.values()


def answer_request(pack: str, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> Answer:
    """Let a pack answer a request. ``path`` may have a query. From any thread but that of the routes."""
    current.load(pack)
    with _lock:
        served, loop = _serve(pack)
    return asyncio.run_coroutine_threadsafe(_ask(served, method, path, headers, body), loop).result()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the loop of the routes, in a thread of its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="loomis-pack-routes", daemon=True).start()
    PromptServer.instance.loop = loop
    return loop


@cache
def _serve(pack: str) -> tuple[Path, asyncio.AbstractEventLoop]:
    """Serve a pack's routes; return the socket and the loop."""
    loop = _loop()
    socket = Path(tempfile.mkdtemp(prefix="loomis-")) / "routes"
    asyncio.run_coroutine_threadsafe(_start(pack, socket), loop).result()
    return socket, loop


async def _start(pack: str, socket: Path) -> None:
    from aiohttp import web  # what packs are written for

    application = web.Application(client_max_size=LARGEST_BODY)
    for route in routes_of(pack):
        application.router.add_route(route.method, route.path, _handler(pack, route.handler))
    runner = web.AppRunner(application)
    await runner.setup()
    await web.UnixSite(runner, str(socket)).start()


def _handler(pack: str, handler: Callable[[Any], Any]) -> Callable[[Any], Awaitable[Any]]:
    """Return what answers a request with a function of a pack, which may be ``async`` or not."""

    async def handle(request: Any) -> Any:
        with current.running(pack):
            answer = handler(request)
            return await answer if inspect.isawaitable(answer) else answer

    return handle


async def _ask(socket: Path, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> Answer:
    import aiohttp  # what packs are written for

    limit = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    kept = [(name, value) for name, value in headers if name.lower() not in HOPS]
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(socket)), auto_decompress=False, timeout=limit
        ) as session,
        session.request(method, f"http://pack{path}", headers=kept, data=body, allow_redirects=False) as response,
    ):
        answered = [(str(name), value) for name, value in response.headers.items() if name.lower() not in HOPS]
        content = bytearray()
        async for block in response.content.iter_any():
            content += block
            if len(content) > LARGEST_ANSWER:
                return 502, [("content-type", "text/plain")], TOO_LARGE
        return response.status, answered, bytes(content)
