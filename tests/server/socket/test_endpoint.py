"""Clients over loopback: polite ones, and those that send garbage, flood, stop reading, vanish and come back."""

import asyncio
import json
import random
from functools import partial
from pathlib import Path
from typing import Any

import msgpack
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from server.protocol.codec import FORMS
from server.protocol.outbox import Outbox
from tests.server.socket.online import Client, Server, online
from tests.server.words import after, declaring, n, shown


async def submit(client: Client, value: int) -> str:
    return str((await client.result("job.submit", workflow=shown(value)))["id"])


def test_a_client_chooses_the_form_of_messages(tmp_path: Path) -> None:
    async def main() -> None:
        async with online(tmp_path) as server:
            async with connect(server.url, subprotocols=[Subprotocol("loomis.v1.msgpack")]) as socket:
                assert msgpack.unpackb(await socket.recv())["event"] == "hello"
                await socket.send(msgpack.packb({"id": 1, "command": "ping"}))
                assert msgpack.unpackb(await socket.recv())["id"] == 1
            for offered in (["other", "loomis.v1.json"], list(FORMS), None):
                async with connect(server.url, subprotocols=offered) as socket:
                    assert socket.subprotocol == ("loomis.v1.json" if offered else None)
                    assert json.loads(await socket.recv())["protocol"] == 1
            async with connect(server.url, subprotocols=[Subprotocol("other")]) as socket:
                with pytest.raises(ConnectionClosed) as closed:
                    await socket.recv()
            assert closed.value.rcvd and closed.value.rcvd.code == 4000

    asyncio.run(main())


def test_every_command_gets_one_reply(tmp_path: Path) -> None:
    async def main() -> None:
        async with online(tmp_path) as server, server.client() as client:
            job = await submit(client, 1)
            await client.result("subscribe", jobs=[job], since=0)
            await client.ended(job)
            assert (await client.result("job.get", job=job))["outputs"]["2"]["notes"] == {"text": ["1"]}
            assert (await client.result("job.list"))["total"] == 1
            assert (await client.result("queue.pause"))["paused"] is True
            first, second = await submit(client, 2), await submit(client, 3)
            assert (await client.result("queue.get"))["order"] == [first, second]
            assert (await client.result("queue.reorder", jobs=[second, first]))["order"] == [second, first]
            assert (await client.result("job.move", job=first, front=True))["id"] == first
            assert (await client.result("queue.get"))["order"] == [first, second]
            assert (await client.result("job.cancel", job=first))["state"] == "cancelled"
            assert (await client.result("queue.resume"))["paused"] is False
            assert (await client.result("ping"))["time"] > 0
            assert (await client.result("unsubscribe")) == {}
            assert (await client.ask("job.get", job="none"))["error"]["code"] == "no_such_job"
            assert (await client.ask("job.submit", workflow={}))["error"]["code"] == "workflow"
            wrong = (await client.ask("job.submit", workflow=after(Add={"a": ("9", 0), "b": 1})))["error"]
            assert wrong["faults"][0]["node"] == "1"
            ids = [message["id"] for message in client.seen if "id" in message]
            assert ids == list(range(1, len(ids) + 1))

    asyncio.run(main())


def test_a_job_takes_values_for_declared_parameters(tmp_path: Path) -> None:
    async def main() -> None:
        async with online(tmp_path) as server, server.client() as client:
            await client.result("subscribe")
            job = (await client.result("job.submit", workflow=declaring(), parameters={"count": 7}))["id"]
            await client.ended(job)
            assert (await client.result("job.get", job=job))["outputs"]["2"]["notes"] == {"text": ["7"]}
            wrong = (await client.ask("job.submit", workflow=declaring(), parameters={"count": 10}))["error"]
            assert "at most 9" in json.dumps(wrong)

    asyncio.run(main())


def test_garbage_gets_an_error_and_the_socket_goes_on(tmp_path: Path) -> None:
    chance = random.Random(1)
    frames: list[str | bytes] = ["", "{", "[]", '{"id": 1, "command": "nothing"}', b"", b"\xff" * 40, "[" * 5000, "NaN"]
    frames += [chance.randbytes(chance.randint(0, 60)) for _ in range(100)]

    async def main() -> None:
        async with online(tmp_path) as server, server.client() as client:
            await client.next()
            for frame in frames:
                await client.connection.send(frame)
                assert (await client.next())["event"] == "error"
            assert await client.result("ping")

    asyncio.run(main())


def test_a_message_that_is_too_large_gets_an_error_and_one_larger_still_a_close_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.protocol.codec.LARGEST_MESSAGE", 1000)
    monkeypatch.setattr("server.app.host.LARGEST_FRAME", 4000)

    async def main() -> None:
        async with online(tmp_path) as server, server.client() as client:
            assert (await client.next())["event"] == "hello"
            await client.connection.send("x" * 2000)
            assert (await client.next())["error"]["code"] == "too_large"
            await client.connection.send("x" * 5000)
            with pytest.raises(ConnectionClosed) as closed:
                await client.next()
            assert closed.value.rcvd and closed.value.rcvd.code == 1009

    asyncio.run(main())


def test_who_comes_back_gets_every_missed_fact_once_and_in_order(tmp_path: Path) -> None:
    async def main() -> None:
        async with online(tmp_path) as server, server.client() as other:
            async with server.client() as client:
                await client.result("subscribe")
                await client.ended(await submit(client, 1))
            last = client.facts()[-1]
            for value in range(2, 8):
                await submit(other, value)
            async with server.client() as again:
                assert await again.result("subscribe", since=last) == {"seq": last}
                final = await submit(again, 8)
                await again.ended(final)
            assert client.facts() + again.facts() == list(range(1, again.facts()[-1] + 1))

    asyncio.run(main())


def test_facts_that_are_gone_are_told_with_what_stands(tmp_path: Path) -> None:
    async def main() -> None:
        async with online(tmp_path) as server, server.client() as client:
            await client.result("subscribe")
            job = await submit(client, 1)
            await client.ended(job)
            await server.services.jobs.forget([job])
            await client.result("queue.pause")
            waiting = await submit(client, 2)
            async with server.client() as late:
                await late.result("subscribe", since=0)
                pruned = await late.until(lambda message: message["event"] == "pruned")
                await late.until(lambda message: message.get("kind") == "queued")
            assert [each["id"] for each in pruned["jobs"]] == [waiting]
            assert late.facts() == list(range(pruned["seq"] + 1, late.facts()[-1] + 1))

    asyncio.run(main())


def big(value: int) -> dict[str, Any]:
    return shown(value) | {"t": n("Unknown", text="x" * 500_000)}


async def jobs_in_time(server: Server, count: int = 5) -> None:
    """See that another client hears of its jobs, fact by fact, at once."""
    async with server.client() as client:
        start = (await client.result("subscribe"))["seq"]
        loop = asyncio.get_running_loop()
        for value in range(count):
            began = loop.time()
            await client.ended(await submit(client, 100 + value))
            assert loop.time() - began < 5
        assert client.facts() == list(range(start + 1, client.facts()[-1] + 1))


def test_a_client_that_stops_reading_is_cut_off_and_others_hear_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.socket.endpoint.Outbox", partial(Outbox, most_bytes=2**20))
    monkeypatch.setattr("server.socket.endpoint.GRACE_SECONDS", 0.1)

    async def main() -> None:
        async with online(tmp_path) as server, server.client(max_queue=1) as deaf:
            await deaf.result("subscribe")
            session = (await deaf.result("session.open", workflow=big(1)))["session"]
            for _ in range(60):
                await deaf.send("session.get", session=session)
            await jobs_in_time(server)
            await server.is_alone()
            with pytest.raises(ConnectionClosed):
                while True:
                    await deaf.next()
            last = max(deaf.facts(), default=0)
            async with server.client() as again:
                await again.result("subscribe", since=last)
                await again.ended(await submit(again, 3))
                facts = deaf.facts() + again.facts()
            assert facts == list(range(1, facts[-1] + 1))

    asyncio.run(main())


def test_a_client_that_reads_again_in_time_hears_why_it_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.socket.endpoint.Outbox", partial(Outbox, most_seconds=0.3))

    async def main() -> None:
        async with online(tmp_path) as server, server.client(max_queue=1) as slow:
            session = (await slow.result("session.open", workflow=big(1)))["session"]
            for _ in range(60):
                await slow.send("session.get", session=session)
            await asyncio.sleep(1)
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    await slow.next()
            assert closed.value.rcvd and closed.value.rcvd.code == 4008

    asyncio.run(main())


def test_a_client_that_floods_slows_itself_and_not_the_others(tmp_path: Path) -> None:
    async def main() -> None:
        async with online(tmp_path) as server, server.client() as flood:

            async def read() -> None:
                while True:
                    await flood.next()

            for _ in range(5000):
                await flood.send("queue.get")
            reading = asyncio.create_task(read())
            await jobs_in_time(server)
            assert 5 < len(flood.seen) < 5000
            flood.connection.transport.abort()
            with pytest.raises(ConnectionClosed):
                await reading

    asyncio.run(main())


def test_a_client_that_vanishes_leaves_its_jobs_and_its_session(tmp_path: Path) -> None:
    async def main() -> None:
        async with online(tmp_path) as server:
            async with server.client() as client:
                opened = await client.result("session.open", workflow=after(Nap={"value": 1, "seconds": 0.3}))
                run = await client.result("session.run", session=opened["session"])
                client.connection.transport.abort()
            await jobs_in_time(server, 2)
            async with server.client() as again:
                await again.result("subscribe", jobs=[run["job"]], since=0)
                assert (await again.ended(run["job"]))["kind"] == "succeeded"
                found = await again.result("session.get", session=opened["session"])
                await again.all_remembered()
            assert found["runs"] == []

    asyncio.run(main())
