"""``/api/v2/jobs`` and ``/api/v2/health``."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from engine.errors import InputError
from engine.formats.jsontext import parse_json
from engine.formats.read import read
from server.app.answers import Raw, answer
from server.app.ids import JOB
from server.app.services import services
from server.comfy.bodies import checked
from server.comfy.v2.bodies import METADATA, MOST_KEY, ListQuery, labels, read_job, split
from server.comfy.v2.errors import BadCursor, KeyReused, TooManyStreams, answered
from server.comfy.v2.events import catch_up, place_in_queue, stream
from server.comfy.v2.references import carrier, is_reference, resolve
from server.comfy.v2.views import STATUSES, Links, job_data
from server.jobs.records import Job, JobState, Submission
from server.jobs.store import Wanted

KEYS = UUID("0e2c5b86-4a86-4ec5-9a2d-5d2f6b1d5f0c")
"""The namespace of the ids that jobs with an idempotency key have."""

STATES: Mapping[str, JobState] = {status: state for state, status in STATUSES.items()}
WITHOUT_JOBS = {"canceling", "expired"}
"""Statuses of the API that no job is listed with."""

HIGHEST = 100


async def submit(request: Request) -> Response:
    """Queue a workflow: API format or saved, as JSON or in a picture or video. It is on disk when the answer comes."""
    jobs, id = services(request).jobs, _id(request.headers.get("idempotency-key"))
    if id and jobs.find(id):
        raise KeyReused("The idempotency key was used before.", got=id, hint="Ask for the job that it made.")
    body, extra = await read_job(request)
    workflow = body.workflow
    if is_reference(workflow):
        workflow, extra = split(await asyncio.to_thread(read, await carrier(request, workflow)))
    await resolve(request, workflow)
    job = await jobs.submit(
        Submission(
            workflow,
            id=id,
            partial=True,
            priority=max(-HIGHEST, min(HIGHEST, body.priority or 0)),
            labels=labels(body.metadata),
            extra=extra,
        )
    )
    return answer(await _data(request, job), 201)


def _id(key: str | None) -> str | None:
    """Return the id of the job that an idempotency key makes: the same at any time."""
    if key is None:
        return None
    if not 0 < len(key) <= MOST_KEY:
        raise InputError("The idempotency key can't be used.", got=key, expected=f"1 to {MOST_KEY} characters")
    return str(uuid5(KEYS, key))


async def list_jobs(request: Request) -> Response:
    """A page of jobs, newest first."""
    query = checked(dict(request.query_params), ListQuery)
    asked = [status for status in query.status.split(",") if status]
    if wrong := [status for status in asked if status not in STATES and status not in WITHOUT_JOBS]:
        raise InputError(f"There are no such statuses: {', '.join(wrong)}.", got=query.status)
    if query.cursor is not None and services(request).jobs.find(query.cursor) is None:
        raise BadCursor("The cursor is none of a page before.", got=query.cursor, hint="Begin again without one.")
    pairs = [(name[9:-1], value) for name, value in request.query_params.items() if name.startswith("metadata[")]
    wanted = Wanted(
        states=tuple(STATES[status] for status in asked if status in STATES),
        labels=tuple(METADATA + json.dumps(pair) for pair in pairs),
        limit=query.limit + 1,
        before=query.cursor,
    )
    found = list((await services(request).jobs.page(wanted)).jobs)
    if asked and not wanted.states:
        found = []
    shown = [await _data(request, job, listed=True) for job in found[: query.limit]]
    more = {"next_cursor": found[query.limit - 1].id} if len(found) > query.limit else {}
    return answer({"jobs": shown, "truncated": False} | more)


async def one(request: Request) -> Response:
    """A job as it stands."""
    return answer(await _data(request, _job(request)))


async def workflow(request: Request) -> Response:
    """The workflow of a job, as it was sent, with the names of files in place of assets."""
    job = _job(request)
    raw = services(request).jobs.sent(job.id)["workflow"]
    saved = isinstance((await asyncio.to_thread(parse_json, raw, "The workflow")).get("nodes"), list)
    return answer({"workflow": Raw(raw), "format": "save" if saved else "api"})


async def cancel(request: Request) -> Response:
    """Cancel a job. One that has ended stays as it is."""
    jobs, job = services(request).jobs, _job(request)
    job = await jobs.cancel(job.id)
    told = await _data(request, job)
    return answer(told | {"status": "canceling"} if job.state == "running" else told)


async def events(request: Request) -> Response:
    """What happens to a job, as server-sent events, until it ends."""
    jobs, job, streams = services(request).jobs, _job(request), request.app.state.streams
    if streams.locked():
        raise TooManyStreams("Too many clients follow jobs.", hint="Ask for the job now and then instead.")

    async def told() -> Any:
        async with streams:
            async for frame in stream(jobs, job, Links.of(request)):
                yield frame

    headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
    return StreamingResponse(told(), headers=headers, media_type="text/event-stream")


async def health(request: Request) -> Response:
    """The server answers."""
    return answer({"status": "healthy"})


def _job(request: Request) -> Job:
    return services(request).jobs.get(request.path_params["id"])


async def _data(request: Request, job: Job, listed: bool = False) -> dict[str, Any]:
    """Return a job as the API tells it. How far it is, is worked out for one job only."""
    jobs, links = services(request).jobs, Links.of(request)
    progress = None
    if job.state == "running" and not listed:
        teller, _ = await catch_up(jobs, job, links)
        progress = teller.progress()
    position = place_in_queue(jobs, job.id) if job.state == "queued" else None
    return await asyncio.to_thread(job_data, job, links, position, progress)


ROUTES = [
    Route("/api/v2/health", health),
    Route("/api/v2/jobs", answered(submit), methods=["POST"]),
    Route("/api/v2/jobs", answered(list_jobs)),
    Route(f"/api/v2/jobs/{JOB}/workflow", answered(workflow)),
    Route(f"/api/v2/jobs/{JOB}/events", answered(events)),
    Route(f"/api/v2/jobs/{JOB}/cancel", answered(cancel), methods=["POST"]),
    Route(f"/api/v2/jobs/{JOB}", answered(one)),
]
