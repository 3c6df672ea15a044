"""One client at its socket: what waits to be sent to it, and what it said it can do."""

import asyncio
import json
import logging
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.outputs import without_png_text
from server.comfy.features import FLAGS
from server.protocol.codec import Frame
from server.protocol.outbox import Name, Outbox

PICTURE, PICTURE_WITH_METADATA = 1, 4
"""Kinds of binary frames."""
JPEG, PNG = 1, 2
CHECK_SECONDS = 0.25

log = logging.getLogger("loomis.comfy")


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A PNG that is to be sent, and what goes beside it. It is read when its turn comes, so it takes no memory."""

    path: Path
    about: Mapping[str, Any]

    def __len__(self) -> int:
        return 0


class Client:
    """A client that its ``sid`` names. What only matters until there is something newer is kept under a name.

    ``reads_pictures`` is whether it said what it can do: some clients that don't end at the first binary frame.
    """

    def __init__(self, sid: str) -> None:
        self.sid = sid
        self.reads_pictures = False
        self._flags: Mapping[str, Any] = {}
        self._heard = False
        self._outbox = Outbox[Frame | PictureFile]()
        self._filled = asyncio.Event()

    def put(self, frame: Frame | PictureFile) -> None:
        """Send what must arrive."""
        self._outbox.put(frame)
        self._filled.set()

    def put_latest(self, name: Name, frame: Frame) -> None:
        """Send what only matters as long as there is nothing newer of that name."""
        self._outbox.put_latest(name, frame)
        self._filled.set()

    def drop(self, over: Callable[[Name], bool]) -> None:
        """Take back what can be replaced, was not sent yet and has a name that is over."""
        self._outbox.drop(over)

    def hear(self, frame: str) -> None:
        """Take what the client sent. Its first message may say what it can do; all others mean nothing here."""
        if self._heard:
            return
        self._heard = True
        try:
            message = json.loads(frame)
        except (ValueError, RecursionError):
            return
        if isinstance(message, dict) and message.get("type") == "feature_flags":
            self.reads_pictures = True
            data = message.get("data")
            self._flags = data if isinstance(data, dict) else {}
            self.put(text("feature_flags", FLAGS))

    @property
    def reads_metadata(self) -> bool:
        """Whether it reads which node a picture is of; else it takes it for one of the node that was told last."""
        return self._flags.get("supports_preview_metadata") is True

    def picture(self, image: bytes, about: Mapping[str, Any]) -> bytes:
        """Return the frame for a JPEG or PNG of a node, in the form that this client reads."""
        is_png = image.startswith(b"\x89PNG")
        if not self.reads_metadata:
            return struct.pack(">II", PICTURE, PNG if is_png else JPEG) + image
        told = json.dumps({**about, "image_type": "image/png" if is_png else "image/jpeg"}).encode()
        return struct.pack(">II", PICTURE_WITH_METADATA, len(told)) + told + image

    async def empty(self, send: Callable[[Frame], Awaitable[None]]) -> None:
        """Send what waits, for ever."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while (frame := self._outbox.take()) is not None:
                if isinstance(frame, PictureFile):
                    await self._send_file(frame, send)
                else:
                    await send(frame)

    async def _send_file(self, file: PictureFile, send: Callable[[Frame], Awaitable[None]]) -> None:
        """Send a picture without the texts in its file, and give the client as long again for what is behind it."""
        try:
            content = await asyncio.to_thread(file.path.read_bytes)
        except OSError as error:
            log.warning("a picture for a client is gone: %s", error, extra={"job": file.about["prompt_id"]})
            return
        await send(self.picture(without_png_text(content), file.about))
        self._outbox.renew()

    async def watch(self) -> None:
        """Return when the client reads too slowly."""
        while not self._outbox.too_slow():
            await asyncio.sleep(CHECK_SECONDS)


def text(kind: str, data: Mapping[str, Any]) -> str:
    """Return a message as it is sent."""
    return json.dumps({"type": kind, "data": data}, separators=(",", ":"), default=str)
