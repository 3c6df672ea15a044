"""Routes that say what the server uses: ``/api/v1/workers``, ``/api/v1/system``."""

import asyncio
import os
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from typing import Any

import psutil
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.app.answers import answer
from server.app.bodies import FreeBody, read_body
from server.app.services import Services, services
from server.workers.state import WorkerState


async def workers(request: Request) -> Response:
    """The workers and what each does."""
    found = services(request).dispatcher.workers
    return answer({"workers": await asyncio.to_thread(lambda: [worker_data(worker) for worker in found])})


async def free(request: Request) -> Response:
    """Let go of memory: at once, and in workers that are busy when their job is done."""
    body = await read_body(request, FreeBody)
    await services(request).free(models=body.models, values=body.values)
    return Response(status_code=204)


async def system(request: Request) -> Response:
    """Memory, disk and store, in bytes."""
    return answer(await asyncio.to_thread(system_data, services(request)))


def worker_data(worker: WorkerState) -> dict[str, Any]:
    """Return a worker as plain data. ``rss`` is what it has of the memory, in bytes."""
    return {
        "name": worker.name,
        "device": worker.carrier.device,
        "state": "starting" if not worker.ready else "busy" if worker.load else "idle",
        "prepared": worker.prepared,
        "pid": worker.pid,
        "job": worker.running,
        "starts": worker.starts,
        "last_death": worker.death,
        "silent": worker.heartbeat.silence,
        "rss": rss(worker.pid) if worker.pid else 0,
        "memory": asdict(worker.uses) if worker.uses.total else None,
    }


def rss(pid: int) -> int:
    """Return the bytes of memory that a process has resident, 0 if it is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def system_data(found: Services) -> dict[str, Any]:
    """Return what the server uses as plain data."""
    memory = psutil.virtual_memory()
    disk = psutil.disk_usage(str(found.jobs.store.folder))
    rows, values, nbytes = found.engine.store.totals()
    return {
        "version": own_version(),
        "pid": os.getpid(),
        "started": psutil.Process().create_time(),
        "rss": rss(os.getpid()),
        "memory": {"total": memory.total, "available": memory.available},
        "disk": {"total": disk.total, "free": disk.free},
        "store": {"rows": rows, "values": values, "bytes": nbytes, "limit": found.engine.store.limit},
        "workers": [worker_data(worker) for worker in found.dispatcher.workers],
    }


@cache
def own_version() -> str:
    """Return the version of Loomis."""
    return version("loomis")


ROUTES = [
    Route("/api/v1/workers", workers),
    Route("/api/v1/workers/free", free, methods=["POST"]),
    Route("/api/v1/system", system),
]
