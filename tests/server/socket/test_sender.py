"""What is sent, how fast, and when a reader is given up."""

import asyncio

import pytest

from server.protocol.codec import FORMS, Frame
from server.protocol.messages import Heartbeat
from server.protocol.outbox import Outbox
from server.socket import sender
from server.socket.sender import Sender

JSON = FORMS["loomis.v1.json"]


def test_a_heartbeat_comes_when_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "CHECK_SECONDS", 0.005)
    monkeypatch.setattr(sender, "HEARTBEAT_SECONDS", 0.02)
    sent: list[Frame] = []

    async def send(frame: Frame) -> None:
        sent.append(frame)

    async def main() -> None:
        made = Sender(JSON, Outbox[Frame](), send)
        tasks = [asyncio.create_task(made.empty()), asyncio.create_task(made.watch(lambda: Heartbeat(seq=7)))]
        while len(sent) < 3:
            await asyncio.sleep(0.005)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    assert set(sent) == {'{"event":"heartbeat","seq":7}'}


def test_room_is_there_again_when_the_reader_has_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "LOW_WATER", 40)
    reading = asyncio.Event()

    async def send(frame: Frame) -> None:
        await reading.wait()

    async def main() -> None:
        made = Sender(JSON, Outbox[Frame](most_bytes=100), send)
        task = asyncio.create_task(made.empty())
        for seq in range(6):
            made.put(Heartbeat(seq=seq))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(made.has_room(), 0.02)
        await asyncio.wait_for(made.watch(lambda: Heartbeat(seq=0)), 5)
        reading.set()
        await asyncio.wait_for(made.has_room(), 5)
        task.cancel()

    asyncio.run(main())
