"""What waits for one client of ComfyUI's socket."""

import asyncio
import struct
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from server.comfy.client import READ_BYTES, Client, PictureFile
from server.protocol.codec import Frame

pytestmark = pytest.mark.anyio
ABOUT = {"prompt_id": "a", "node_id": "1"}


def picture(folder: Path, name: str, colour: str) -> PictureFile:
    """Write a picture as nodes do, with its workflow."""
    texts = PngInfo()
    texts.add_text("prompt", "{}")
    Image.new("RGB", (8, 8), colour).save(folder / name, "PNG", pnginfo=texts)
    return PictureFile(folder / name, ABOUT)


async def sent(client: Client, count: int) -> list[Frame]:
    """Return the next frames that a client is sent."""
    frames: list[Frame] = []
    enough = asyncio.Event()

    async def send(frame: Frame) -> None:
        frames.append(frame)
        if len(frames) == count:
            enough.set()

    sending = asyncio.create_task(client.empty(send))
    await asyncio.wait_for(enough.wait(), 10)
    sending.cancel()
    return frames


async def test_pictures_are_sent_in_order_with_the_facts_around_them(tmp_path: Path):
    client = Client("a")
    client.put("before")
    client.put(picture(tmp_path, "1.png", "red"))
    client.put_latest(("preview", "a", "1"), b"preview")
    client.put("after")
    first, second, third, fourth = await sent(client, 4)
    assert (first, third, fourth) == ("before", "after", b"preview")
    assert isinstance(second, bytes)
    assert struct.unpack(">II", second[:8]) == (1, 2)
    shown = Image.open(BytesIO(second[8:]))
    assert shown.getpixel((0, 0)) == (255, 0, 0) and not shown.info


async def test_a_picture_is_read_when_its_turn_comes(tmp_path: Path):
    client = Client("a")
    client.put(picture(tmp_path, "1.png", "red"))
    picture(tmp_path, "1.png", "lime")
    (frame,) = await sent(client, 1)
    assert isinstance(frame, bytes)
    assert Image.open(BytesIO(frame[8:])).getpixel((0, 0)) == (0, 255, 0)


async def test_a_picture_that_is_gone_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    client = Client("a")
    client.put(PictureFile(tmp_path / "gone.png", ABOUT))
    client.put("after")
    assert await sent(client, 1) == ["after"]
    assert "gone.png" in caplog.text


async def test_pictures_that_wait_count(tmp_path: Path):
    client = Client("a")
    waiting = picture(tmp_path, "1.png", "red")
    for _ in range(50_000):
        client.put(waiting)
    watching = asyncio.create_task(client.watch(lambda: 0))
    assert not (await asyncio.wait([watching], timeout=0.02))[0]
    for _ in range(10_000):
        client.put(waiting)
    await asyncio.wait_for(watching, 10)


class Line:
    """A slow line: what is sent waits here until it left, and the next frame until then."""

    def __init__(self) -> None:
        self.now = 0.0
        self.unsent = 0
        self.frames: list[Frame] = []

    async def send(self, frame: Frame) -> None:
        while self.unsent:
            await asyncio.sleep(0.001)
        self.frames.append(frame)
        self.unsent = len(frame)


@pytest.mark.parametrize("rate", [2 * READ_BYTES, READ_BYTES // 100])
async def test_a_client_is_cut_off_where_it_stops_reading_and_not_by_what_is_large(
    monkeypatch: pytest.MonkeyPatch, rate: int
):
    """Let a frame leave over minutes, so much of it in each 20 s."""
    monkeypatch.setattr("server.comfy.client.CHECK_SECONDS", 0.001)
    line = Line()
    client = Client("a", lambda: line.now)
    client.put(b"x" * 20 * READ_BYTES)
    client.put("after")
    async with asyncio.timeout(20):
        sending = asyncio.create_task(client.empty(line.send))
        watching = asyncio.create_task(client.watch(lambda: line.unsent))
        while not line.frames:
            await asyncio.sleep(0.001)
        for _ in range(10):
            line.now += 20
            line.unsent = max(0, line.unsent - rate)
            await asyncio.sleep(0.05)
        is_too_slow = watching.done()
    sending.cancel()
    watching.cancel()
    assert is_too_slow is (rate < READ_BYTES)
    assert line.frames[1:] == ([] if is_too_slow else ["after"])
