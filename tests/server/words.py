"""A small vocabulary for tests of the server, and what is needed to serve it. Worker processes import it by name."""

import asyncio
import ctypes
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from PIL import Image

from engine import Registry, types
from engine.context import Context, Environment, Usage
from engine.node import Artifact, Block, Field, InputFile, OptionalInput, Shown
from engine.types import Anything
from server.app.host import serving
from server.app.services import Services
from server.jobs.records import ENDED, Job, JobEvent, Submission
from server.jobs.service import Jobs
from server.opening import open_engine
from server.settings import Options
from server.workers.process import ProcessCarrier
from tests.server.local import LocalCarrier

VOCABULARY = "tests.server.words:vocabulary"


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

    @node("Send", output_node=True)
    def send(colours: str, wait: Annotated[float, OptionalInput()] = 0.0) -> Shown[None]:
        """Send a picture of each colour to the client, as SaveImageWebsocket does."""
        time.sleep(wait)
        return Shown(None, tuple(png(colour, "sent", "temp") for colour in colours.split()), {"websocket": [True]})

    @node("NamePicture")
    def name_picture(image: Annotated[str, InputFile()]) -> str:
        return image

    @node("Paint")
    def paint(
        red: Annotated[int, Field(ge=0, le=255)], green: Annotated[int, Field(ge=0, le=255)], wait: float = 0.0
    ) -> types.Image:
        """Make a picture of one colour."""
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


def n(class_type: str, **inputs: Any) -> dict[str, Any]:
    """Return a node. A tuple is a link."""
    linked = {name: list(value) if isinstance(value, tuple) else value for name, value in inputs.items()}
    return {"class_type": class_type, "inputs": linked}


def shown(value: int) -> dict[str, Any]:
    """Return a workflow of two nodes that says a number."""
    return {"1": n("Number", value=value), "2": n("Show", value=("1", 0))}


def after(**inputs: Any) -> dict[str, Any]:
    """Return a workflow that shows what a node gives: ``after(Nap={"value": 1, "seconds": 2})``."""
    ((class_type, given),) = inputs.items()
    return {"1": n(class_type, **given), "2": n("Show", value=("1", 0))}


def declaring() -> dict[str, Any]:
    """Return a workflow as an editor saves it that says a number, and declares it as a parameter up to 9."""
    return {
        "version": 0.4,
        "nodes": [
            {"id": 1, "type": "Number", "widgets_values": [4], "outputs": [{"type": "INT", "links": [1]}]},
            {"id": 2, "type": "Show", "inputs": [{"name": "value", "type": "*", "link": 1}]},
        ],
        "links": [[1, 1, 0, 2, 0, "INT"]],
        "extra": {"loomis": {"parameters": {"count": {"input": "1.value", "maximum": 9}}}},
    }  # fmt: skip


def options(folder: Path, **more: Any) -> Options:
    return Options(data=folder / "data", out=folder / "out", input=folder / "in", device="cpu", **more)


@asynccontextmanager
async def served(
    folder: Path, workers: int = 1, process: bool = False, registry: Registry | None = None, **more: Any
) -> AsyncIterator[Services]:
    """Have jobs that run in this process, or in processes of their own. ``registry`` is for who runs none."""
    chosen = options(folder, **more)

    def local() -> LocalCarrier:
        return LocalCarrier(lambda: open_engine(chosen, vocabulary()))

    make = (lambda: ProcessCarrier(chosen, "cpu", VOCABULARY)) if process else local
    with open_engine(chosen, registry or vocabulary()) as engine:
        async with serving(chosen, [make() for _ in range(workers)], engine) as services:
            yield services


async def until(jobs: Jobs, *kinds: str, since: int = 0, count: int = 1) -> list[JobEvent]:
    """Return the facts up to the ``count``-th of some kinds."""
    seen: list[JobEvent] = []
    with jobs.subscribe(since=since) as feed:
        while sum(event.kind in kinds for event in seen) < count:
            seen += [each for each in await asyncio.wait_for(feed.next(), 20) if isinstance(each, JobEvent)]
    return seen


async def done(jobs: Jobs, id: str) -> Job:
    """Wait for a job to end."""
    with jobs.subscribe(wants=lambda job: job == id) as feed:
        while jobs.get(id).state not in ENDED:
            await asyncio.wait_for(feed.next(), 20)
    return jobs.get(id)


async def ran(jobs: Jobs, workflow: dict[str, Any], **more: Any) -> Job:
    """Submit a workflow and wait for its end."""
    job = await jobs.submit(Submission(workflow, **more))
    return await done(jobs, job.id)
