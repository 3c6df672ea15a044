"""The node types of the tests of the server. Worker processes import them by name, and little else."""

import asyncio
import ctypes
import os
import signal
import time
from io import BytesIO
from pathlib import Path
from typing import Annotated, Literal

from PIL import Image

from engine import Registry, types
from engine.context import Context, Environment, Usage
from engine.node import Artifact, Block, Field, InputFile, OptionalInput, Shown
from engine.types import Anything

VOCABULARY = "tests.server.vocabulary:vocabulary"


def jpeg() -> bytes:
    file = BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "JPEG")
    return file.getvalue()


SKETCH = jpeg()
"""The preview of every step of the node type Steps."""


class Weights:
    """A service that holds memory, as that of models does."""

    def __init__(self, environment: Environment) -> None:
        self.nbytes = 0

    def usage(self) -> Usage:
        return Usage(reserved=self.nbytes, used=self.nbytes)

    def drop(self) -> None:
        self.nbytes = 0


def png(colour: str, prefix: str, folder: Literal["output", "temp"]) -> Artifact:
    """Return a picture of one colour."""
    file = BytesIO()
    Image.new("RGB", (64, 64), colour).save(file, "PNG")
    return Artifact(file.getvalue(), prefix, ".png", folder, width=64, height=64)


def vocabulary() -> Registry:
    registry = Registry()
    node = registry.node

    @node("Number")
    def number(value: int) -> int:
        return value

    @node("Add")
    def add(a: int, b: int) -> int:
        return a + b

    @node("Show", output_node=True)
    def show(value: Anything) -> Shown[None]:
        return Shown(None, notes={"text": [str(value)]})

    @node("Save", output_node=True)
    def save(value: Anything, prefix: Annotated[str, OptionalInput()] = "text") -> Shown[None]:
        return Shown(None, files=(Artifact(str(value).encode(), prefix, ".txt"),))

    @node("Picture", output_node=True)
    def picture(colour: str) -> Shown[None]:
        return Shown(None, files=(png(colour, "picture", "output"),))

    @node("SaveImageWebsocket", output_node=True)
    def send(
        colours: str, wait: Annotated[float, OptionalInput()] = 0.0, after: Annotated[int, OptionalInput()] = 0
    ) -> Shown[None]:
        """Send a picture of each colour to the client."""
        time.sleep(wait)
        return Shown(None, tuple(png(colour, "sent", "temp") for colour in colours.split()))

    @node("Claim", output_node=True)
    def claim(colours: str) -> Shown[None]:
        """Show pictures under a name as a node that sends them might."""
        return Shown(None, tuple(png(colour, "claimed", "temp") for colour in colours.split()), {"websocket": [True]})

    @node("NamePicture")
    def name_picture(image: Annotated[str, InputFile()]) -> str:
        return image

    @node("Paint")
    def paint(
        red: Annotated[int, Field(ge=0, le=255)], green: Annotated[int, Field(ge=0, le=255)], wait: float = 0.0
    ) -> types.Image:
        """Make a picture of one colour."""
        import numpy as np  # slow, and only this node needs it

        time.sleep(wait)
        return np.full((1, 32, 48, 3), (red / 255, green / 255, 0), np.float32)

    @node("Repeat")
    def repeat(text: str, count: int) -> str:
        """Make a large value in no time, which is not worth a file."""
        return text * count

    @node("Length")
    def length(text: str) -> int:
        return len(text)

    @node("Log")
    def log(value: int, path: str, seconds: Annotated[float, OptionalInput()] = 0.0) -> int:
        """Write a line a call, so that a test sees what ran in another process."""
        time.sleep(seconds)
        with Path(path).open("a") as file:
            file.write(f"{value}\n")
        return value

    @node("Steps", resource="gpu")
    def steps(ctx: Context, value: int, count: int, seconds: float) -> int:
        for step in range(count):
            ctx.progress(step, count, lambda: SKETCH)
            time.sleep(seconds)
        return value

    @node("Load")
    def load(ctx: Context, value: int, nbytes: int) -> int:
        ctx.use(Weights).nbytes += nbytes
        return value

    @node("Nap")
    async def nap(value: int, seconds: float) -> int:
        await asyncio.sleep(seconds)
        return value

    @node("Await")
    async def awaiting(value: int, path: str) -> int:
        """Work until a file is there."""
        while not await asyncio.to_thread(Path(path).exists):
            await asyncio.sleep(0.01)
        return value

    @node("Stuck", resource="gpu")
    def stuck(value: int, seconds: float) -> int:
        """Look at nothing while it works, as code in C does."""
        time.sleep(seconds)
        return value

    @node("Hold", resource="gpu")
    def hold(value: int, seconds: float, work: bool) -> int:
        """Keep Python's lock, as code in C can: at work, or asleep."""
        if work:
            next(filter((time.monotonic() + seconds).__le__, iter(time.monotonic, None)))
        else:
            ctypes.PyDLL(None).usleep(int(seconds * 1e6))
        return value

    @node("Multiply", resource="gpu")
    def multiply(size: int, seconds: float) -> int:
        """Compute in torch, where nothing holds Python's lock."""
        import torch  # slow, and only this node needs it

        matrix, end = torch.eye(1000), time.monotonic() + seconds
        while time.monotonic() < end:
            torch.linalg.multi_dot([matrix] * 50)
        return size

    @node("Gate")
    def gate(value: int, message: str) -> int | Block:
        return Block(message or None)

    @node("Fail")
    def fail(value: int) -> int:
        raise ValueError(f"no {value}")

    @node("Die")
    def die(value: int, path: str, times: int) -> int:
        """Kill this process, as often as was asked for."""
        file = Path(path)
        died = len(file.read_text()) if file.exists() else 0
        if died < times:
            file.write_text("x" * (died + 1))
            time.sleep(0.2)  # what was made before is on disk within 50 ms
            os.write(2, b"about to die\n")
            os.kill(os.getpid(), signal.SIGKILL)
        return value

    return registry
