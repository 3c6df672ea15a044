"""One client at its socket: what waits to be sent to it, and what it said it can do."""

import asyncio
import json
import logging
import struct
import time
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

WAITING_BYTES = 600
"""What a picture takes of memory that waits to be read from its file: a path, and what goes beside it."""

READ_BYTES = 64 * 2**10
"""What a client has to take for it to be given as long again for the rest."""

log = logging.getLogger("loomis.comfy")


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A PNG that is to be sent, and what goes beside it. It is read when its turn comes, so it takes little memory."""

    path: Path
    about: Mapping[str, Any]

    def __len__(self) -> int:
        return WAITING_BYTES


class Client:
    """A client that its ``sid`` names. What only matters until there is something newer is kept under a name.

    ``reads_pictures`` is whether it said what it can do: some clients that don't end at the first binary frame.
    """

    def __init__(self, sid: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.sid = sid
        self.reads_pictures = False
        self._flags: Mapping[str, Any] = {}
        self._heard = False
        self._outbox = Outbox[Frame | PictureFile](clock=clock)
        self._sent = 0
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
            while (waiting := self._outbox.take()) is not None:
                frame = await self._read(waiting) if isinstance(waiting, PictureFile) else waiting
                if frame is not None:
                    await send(frame)
                    self._sent += len(frame)

    async def _read(self, file: PictureFile) -> bytes | None:
        """Return the frame for a picture without the texts in its file; None where it is gone."""
        try:
            content = await asyncio.to_thread(file.path.read_bytes)
        except OSError as error:
            log.warning("a picture for a client is gone: %s", error, extra={"job": file.about["prompt_id"]})
            return None
        return self.picture(without_png_text(content), file.about)

    async def watch(self, unsent: Callable[[], int]) -> None:
        """Return when the client reads too slowly. ``unsent`` gives the bytes of what was sent that are still here.

        One that reads something large is not too slow: it is given as long again with each `READ_BYTES` that leave.
        """
        read = 0
        while not self._outbox.too_slow():
            await asyncio.sleep(CHECK_SECONDS)
            if (left := self._sent - unsent()) - read >= READ_BYTES:
                self._outbox.renew()
                read = left


def text(kind: str, data: Mapping[str, Any]) -> str:
    """Return a message as it is sent."""
    return json.dumps({"type": kind, "data": data}, separators=(",", ":"), default=str)
