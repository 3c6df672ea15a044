"""Commands and graphs that make little sense, over a real socket: one reply to each, and the server goes on."""

import asyncio
import gc
import json
from pathlib import Path
from typing import Any

import pytest

from tests.server.session.test_fuzz import Fuzz, grows
from tests.server.socket.online import Client, online
from tests.server.words import shown


class Everything(Fuzz):
    """Commands of every kind, and what is no command at all."""

    def frame(self, id: int, session: str) -> str | bytes:
        if self.chance.random() < 0.1:
            return self.chance.choice([b"", b"\0\0\0\x02{}", "{", "[]", "null", self.chance.randbytes(20)])
        message = self.command() if self.chance.random() < 0.6 else self.other()
        if "session" in message:
            message["session"] = self.chance.choice([session] * 9 + ["none"])
        return json.dumps(message | {"id": id})

    def other(self) -> dict[str, Any]:
        job = self.chance.choice(["a", "b", "", 3, None])
        return self.chance.choice([
            {"command": "job.submit", "workflow": self.graph(), "job": job, "priority": self.value()},
            {"command": "job.get", "job": job}, {"command": "job.cancel", "job": job},
            {"command": "job.move", "job": job, "front": self.value()}, {"command": "job.list", "limit": self.value()},
            {"command": "queue.reorder", "jobs": [job, job]}, {"command": "queue.get"}, {"command": "ping"},
            {"command": "subscribe", "jobs": self.chance.choice([None, [job]]), "since": self.value()},
            {"command": "unsubscribe"}, {"command": "session.live", "session": "s", "on": self.value()},
            {"command": "session.load", "session": "s", "workflow": self.graph()},
            {"command": "session.cancel", "session": "s"}, {"command": "session.get", "session": "s"},
            {"command": "value.get", "session": "s", "node": self.id(), "output": self.value(), "format": self.value()},
            {"command": "value.get", "digest": "0" * 64}, {"command": self.value()},
        ])  # fmt: skip


async def fuzz(client: Client, seed: int, count: int) -> list[int]:
    """Send ``count`` frames, each when the one before has its reply; return how many objects there were meanwhile."""
    making, objects = Everything(seed), []
    session = (await client.result("session.open", workflow=shown(1)))["session"]
    for number in range(1000, 1000 + count):
        await client.connection.send(making.frame(number, session))
        reply = await client.until(lambda message: message["event"] in ("reply", "error"))
        assert reply["id"] in (number, None) and (reply["event"] == "error" or reply["id"] == number)
        assert "mistake" not in reply.get("error", {}).get("message", ""), reply
        if opened := reply.get("result", {}).get("session"):
            await client.result("session.close", session=session) if opened != session else None
            session = opened
        if number % (count // 10) == 0:
            client.seen.clear()
            gc.collect()
            objects.append(len(gc.get_objects()))
    return objects


def serve_and_fuzz(folder: Path, seed: int, count: int) -> list[int]:
    async def main() -> list[int]:
        async with online(folder) as server, server.client() as client:
            objects = await fuzz(client, seed, count)
            async with server.client() as other:
                await other.result("subscribe")
                job = (await other.result("job.submit", workflow=shown(12345), priority=100))["id"]
                assert (await other.ended(job))["kind"] == "succeeded"
            return objects

    return asyncio.run(main())


def test_every_frame_gets_a_reply_and_none_is_a_mistake_of_the_server(tmp_path: Path) -> None:
    serve_and_fuzz(tmp_path, 1, 600)


@pytest.mark.slow
def test_ten_thousand_frames_leave_nothing_behind(tmp_path: Path) -> None:
    assert not grows(serve_and_fuzz(tmp_path, 2, 10_000))
