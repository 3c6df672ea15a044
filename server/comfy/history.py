"""``/history``: the jobs that ended, with what they showed."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.errors import NoSuchJob
from server.app.answers import answer
from server.app.ids import JOB
from server.app.services import services
from server.comfy.bodies import Body, DeleteBody, checked, read_body
from server.comfy.events import story, ui
from server.comfy.items import item
from server.comfy.twice import twice
from server.jobs.records import ENDED, EventKind, Job
from server.jobs.service import Jobs
from server.jobs.store import Wanted

MOST = 1000
"""Entries of one answer: each has a whole workflow."""

TOLD: tuple[EventKind, ...] = ("began", "planned", "succeeded", "failed", "cancelled")
TOLD_OF_FAILURES: tuple[EventKind, ...] = (*TOLD, "node_started", "node_finished", "remembered")
MOST_FACTS = 100_000

Number = Annotated[int, Field(strict=False, ge=-(2**62), le=2**62)]


class HistoryQuery(Body):
    """Which entries: the newest ``max_items``, or so many from ``offset`` on."""

    max_items: Number | None = None
    offset: Number = -1


async def history(request: Request) -> Response:
    """Jobs that ended, oldest first."""
    query = checked(dict(request.query_params), HistoryQuery)
    jobs = services(request).jobs
    most = MOST if query.max_items is None else max(0, min(query.max_items, MOST))
    newest = query.offset < 0
    wanted = Wanted(ENDED, order="ended", newest=newest, limit=most, offset=max(0, query.offset), began=True)
    found = list((await jobs.page(wanted)).jobs)
    return answer(await asyncio.to_thread(entries, jobs, found[::-1] if newest else found))


async def one(request: Request) -> Response:
    """One job that ended, or an empty object."""
    jobs = services(request).jobs
    job = jobs.find(request.path_params["id"])
    ended = [job] if job and job.state in ENDED and job.began is not None else []
    return answer(await asyncio.to_thread(entries, jobs, ended))


async def change(request: Request) -> Response:
    """Forget jobs that ended."""
    body = await read_body(request, DeleteBody)
    jobs = services(request).jobs
    await jobs.forget(body.delete)
    while body.clear and (found := (await jobs.page(Wanted(ENDED, limit=MOST))).jobs):
        await jobs.forget([job.id for job in found])
    return Response()


def entries(jobs: Jobs, found: Sequence[Job]) -> dict[str, Any]:
    """Return jobs that ended by id."""
    shown: dict[str, Any] = {}
    for job in found:
        with suppress(NoSuchJob):  # forgotten meanwhile
            shown[job.id] = entry(jobs, job)
    return shown


def entry(jobs: Jobs, job: Job) -> dict[str, Any]:
    """Return a job that ended.

    Raises:
        NoSuchJob: it was forgotten meanwhile.
    """
    return {
        "prompt": item(jobs, job),
        "outputs": outputs(job),
        "meta": {
            node: {"node_id": node, "display_node": node, "parent_node": None, "real_node_id": node}
            for node in job.outputs
        },
        "status": {
            "status_str": "success" if job.state == "succeeded" else "error",
            "completed": job.state == "succeeded",
            "messages": [[said["type"], said["data"]] for said in messages(jobs, job)],
        },
    }


def messages(jobs: Jobs, job: Job) -> list[dict[str, Any]]:
    """Return what was said of a job's beginning and end."""
    kinds = TOLD if job.state == "succeeded" else TOLD_OF_FAILURES
    told = story(job.id, jobs.store.events(0, job.id, MOST_FACTS, kinds).events)
    return [said.frame() for said in told if said.kind.startswith("execution_")]


def outputs(job: Job) -> dict[str, Any]:
    """Return what the output nodes of a job showed."""
    return {node: ui(shown) for node, shown in job.outputs.items()}


ROUTES: list[Route] = [
    *twice("/history", history),
    *twice("/history", change, "POST"),
    *twice(f"/history/{JOB}", one),
]
