"""What is needed to serve the node types of these tests, and to see what came of their jobs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from engine import Registry
from server.app.host import serving
from server.app.services import Services
from server.jobs.records import ENDED, Job, JobEvent, Submission
from server.jobs.service import Jobs
from server.opening import open_engine
from server.settings import Options
from server.workers.process import ProcessCarrier
from tests.server.local import LocalCarrier
from tests.server.vocabulary import VOCABULARY, vocabulary


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
