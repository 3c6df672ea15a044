"""A real server on the loopback, and clients that open more than they may, or say nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.responses import PlainTextResponse
from uvicorn.protocols.http.h11_impl import H11Protocol

from server.security.access import Limits
from server.security.connections import bounded

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@asynccontextmanager
async def served(limits: Limits) -> AsyncIterator[int]:
    config = uvicorn.Config(
        PlainTextResponse("here"), port=0, http=bounded(H11Protocol, limits), log_config=None, lifespan="off"
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    try:
        writer.write(REQUEST)
        return await reader.read(4000)
    except ConnectionError:
        return b""


def test_one_address_has_only_so_many_connections_at_once():
    async def scene() -> None:
        async with served(Limits(connections_each=3)) as port:
            many = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
            answers = [await ask(*each) for each in many]
            assert [bool(answer) for answer in answers] == [True, True, True, False]
            many[0][1].close()
            await many[0][1].wait_closed()
            await asyncio.sleep(0.05)
            again = await asyncio.open_connection("127.0.0.1", port)
            assert b"200 OK" in await ask(*again)
            for _, writer in [*many, again]:
                writer.close()

    asyncio.run(scene())


def test_connections_come_only_so_fast():
    async def scene() -> None:
        async with served(Limits(connection_rate=0.001)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await ask(reader, writer) == b""
            writer.close()

    asyncio.run(scene())


def test_a_silent_connection_is_closed_and_a_used_one_is_kept():
    async def scene() -> None:
        async with served(Limits(header_seconds=0.1)) as port:
            silent, quiet = await asyncio.open_connection("127.0.0.1", port)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            quiet.write(b"GET / HTTP/1.1\r\nHost: ")
            assert b"200 OK" in await ask(reader, writer)
            async with asyncio.timeout(2):
                assert await silent.read() == b""
            quiet.close()
            assert b"200 OK" in await ask(reader, writer)
            writer.close()

    asyncio.run(scene())
