"""``/queue``, ``/interrupt`` and ``/free``."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.errors import InputError, NoSuchJob
from server.app.answers import answer
from server.app.services import services
from server.comfy.bodies import Body, DeleteBody, InterruptBody, Yes, read_body
from server.comfy.items import item
from server.comfy.twice import twice
from server.jobs.records import Job
from server.jobs.service import Jobs


class FreeBody(Body):
    """What to let go of."""

    unload_models: Yes = False
    free_memory: Yes = False


def split(jobs: Jobs) -> tuple[Sequence[Job], Sequence[Job]]:
    """Return the job that runs, if one does, and those behind it.

    Clients know of one worker: of several jobs that run, the first is shown as running and the others lead the rest.
    """
    found = jobs.open_jobs()
    running = [job for job in found if job.state == "running"][:1]
    return running, [job for job in found if job not in running]


async def queue(request: Request) -> Response:
    """What runs and what waits."""
    jobs = services(request).jobs
    running, pending = split(jobs)
    shown = await asyncio.to_thread(lambda: [[item(jobs, job) for job in part] for part in (running, pending)])
    return answer({"queue_running": shown[0], "queue_pending": shown[1]})


async def change(request: Request) -> Response:
    """Remove jobs that wait. Names of others are left alone."""
    body = await read_body(request, DeleteBody)
    jobs = services(request).jobs
    _, pending = split(jobs)
    named = set(body.delete)
    await cancel_all(jobs, [job.id for job in pending if body.clear or job.id in named])
    return Response()


async def interrupt(request: Request) -> Response:
    """Stop the job that is named, if it runs; without a name, all that run."""
    try:
        body = await read_body(request, InterruptBody)
    except InputError as error:
        if error.input == "prompt_id":  # meant for one job
            return Response()
        body = InterruptBody()
    jobs = services(request).jobs
    running = [job.id for job in jobs.open_jobs() if job.state == "running"]
    await cancel_all(jobs, [id for id in running if body.prompt_id in (None, id)])
    return Response()


async def cancel_all(jobs: Jobs, ids: Sequence[str]) -> None:
    """Cancel jobs. Those that ended meanwhile are left alone."""

    async def cancel(id: str) -> None:
        with suppress(NoSuchJob):
            await jobs.cancel(id)

    await asyncio.gather(*(cancel(id) for id in ids))


async def free(request: Request) -> Response:
    """Let go of models, or of remembered values too: at once, and in workers that are busy when their job is done."""
    body = await read_body(request, FreeBody)
    await services(request).free(models=body.unload_models or body.free_memory, values=body.free_memory)
    return Response()


ROUTES: list[Route] = [
    *twice("/queue", queue),
    *twice("/queue", change, "POST"),
    *twice("/interrupt", interrupt, "POST"),
    *twice("/free", free, "POST"),
]
