"""Routes that say how the server is: ``/health`` and ``/ready``. They need no token and name no paths.

``/health`` fails when only a new start of the server helps; ``/ready`` when a job that is sent now would not begin.
"""

import asyncio
import time
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.errors import StoreError
from server.app.answers import answer
from server.app.services import Services, services

WRITE_SECONDS = 5.0
"""How long a write to the disk may take."""

SILENT_SECONDS = 10.0
"""A worker that has not answered for so long counts as one that takes no job."""

LOOK_AGAIN_SECONDS = 0.5
"""A queue that does not move for so long while a worker is free is stuck."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: whether it is well, and how it is in words."""

    well: bool
    text: str


async def health(request: Request) -> Response:
    """Whether the server works: it answers, its disk takes a write, and somebody looks after its workers."""
    found = services(request)
    checks = {"disk": await check_disk(found), "dispatcher": check_dispatcher(found)}
    return _told("healthy", checks)


async def ready(request: Request) -> Response:
    """Whether a job that is sent now is taken and begins."""
    found = services(request)
    checks = {
        "disk": await check_disk(found),
        "dispatcher": check_dispatcher(found),
        "workers": check_workers(found),
        "queue": await check_queue(found),
    }
    return _told("ready", checks)


async def check_disk(found: Services) -> Check:
    """Write something to where jobs are kept."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            await found.jobs.store.check()
    except TimeoutError:
        return Check(False, f"a write took more than {WRITE_SECONDS:g} s")
    except StoreError:
        return Check(False, "it can't be written")
    return Check(True, f"a write took {(time.perf_counter() - began) * 1000:.1f} ms")


def check_dispatcher(found: Services) -> Check:
    """See that every worker is looked after."""
    lost = [worker.name for worker in found.dispatcher.workers if not found.dispatcher.tends(worker)]
    return Check(not lost, f"nobody looks after {', '.join(lost)}" if lost else "all workers are looked after")


def check_workers(found: Services) -> Check:
    """See that a worker takes jobs, would not have to import torch first, and has answered lately."""
    workers = found.dispatcher.workers
    silent = [worker for worker in workers if worker.heartbeat.silence > SILENT_SECONDS]
    prepared = [worker for worker in workers if worker.prepared]
    text = f"{sum(worker.ready for worker in workers)} of {len(workers)} take jobs, {len(prepared)} prepared"
    told = f"{text}, {len(silent)} silent" if silent else text
    return Check(any(worker not in silent for worker in prepared), told)


async def check_queue(found: Services) -> Check:
    """See that no job waits while a worker is free."""
    if found.jobs.paused:
        return Check(False, "paused")
    waiting = _stuck(found)
    if waiting is not None:
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
        if _stuck(found) == waiting:
            return Check(False, f"job {waiting} waits while a worker is free")
    return Check(True, f"{found.jobs.counts().queued} wait")


def _stuck(found: Services) -> str | None:
    """Return the job that is next, if a worker has nothing to do."""
    idle = any(worker.ready and not worker.load for worker in found.dispatcher.workers)
    queue = found.jobs.live.queue
    return queue.first(1)[0].id if queue and idle else None


def _told(name: str, checks: dict[str, Check]) -> Response:
    well = all(check.well for check in checks.values())
    return answer({name: well, "checks": {name: check.text for name, check in checks.items()}}, 200 if well else 503)


ROUTES = [Route("/health", health), Route("/ready", ready)]
