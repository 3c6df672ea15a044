"""Routes of jobs and their queue: ``/api/v1/jobs``, ``/api/v1/queue``, ``/api/v1/events``."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.formats.read import container_of, read
from server.app.answers import Raw, answer
from server.app.bodies import (
    CancelBody,
    EventsQuery,
    JobsQuery,
    MoveBody,
    OrderBody,
    QueueBody,
    SubmitBody,
    read_body,
    read_query,
)
from server.app.ids import JOB
from server.app.services import services
from server.jobs.views import events_data, job_data, listed_data


async def submit(request: Request) -> Response:
    """Accept a job: as JSON, or a picture or video that carries its workflow. It is on disk when the answer comes."""
    raw = await request.body()
    if container_of(raw[:16]) == "json":
        body = await read_body(request, SubmitBody)
    else:
        body = SubmitBody(workflow=(await asyncio.to_thread(read, raw)).envelope)
    return answer(job_data(await services(request).jobs.submit(body.submission())), 201)


async def list_jobs(request: Request) -> Response:
    """Jobs of the queue and the past, page by page."""
    wanted = read_query(request, JobsQuery).wanted()
    page = await services(request).jobs.page(wanted)
    more = wanted.offset + len(page.jobs) < page.total
    return answer({"jobs": [listed_data(job) for job in page.jobs], "total": page.total, "more": more})


async def one_job(request: Request) -> Response:
    """A job as it stands, with how far its nodes are."""
    jobs = services(request).jobs
    job = jobs.get(request.path_params["id"])
    progress = {each.node: [each.value, each.maximum] for each in jobs.progress(job.id)}
    return answer(job_data(job) | {"progress": progress})


async def workflow(request: Request) -> Response:
    """What was submitted, as it was sent."""
    sent = services(request).jobs.sent(request.path_params["id"])
    return answer({name: Raw(sent[name]) for name in ("workflow", "parameters", "extra", "annotations")})


async def job_events(request: Request) -> Response:
    """The facts of one job after a number."""
    jobs = services(request).jobs
    job = jobs.get(request.path_params["id"])
    query = read_query(request, EventsQuery)
    return answer(events_data(await jobs.events(query.since, job=job.id, limit=query.limit)))


async def cancel(request: Request) -> Response:
    """Cancel one job. One that has ended stays as it is."""
    return answer(job_data(await services(request).jobs.cancel(request.path_params["id"])))


async def cancel_many(request: Request) -> Response:
    """Cancel several jobs."""
    body = await read_body(request, CancelBody)
    jobs = services(request).jobs
    return answer({"jobs": [job_data(await jobs.cancel(id)) for id in body.jobs]})


async def move(request: Request) -> Response:
    """Give a job that waits another priority, or take it to the front."""
    body = await read_body(request, MoveBody)
    jobs = services(request).jobs
    return answer(job_data(await jobs.move(request.path_params["id"], priority=body.priority, front=body.front)))


async def forget(request: Request) -> Response:
    """Remove a job that has ended from the history."""
    jobs = services(request).jobs
    await jobs.forget([jobs.get(request.path_params["id"]).id])
    return Response(status_code=204)


async def queue(request: Request) -> Response:
    """What runs, until its end is on disk, and what waits, in the order in which it will run."""
    jobs = services(request).jobs
    live = [job_data(job) for job in jobs.open_jobs()]
    return answer({"jobs": live, "paused": jobs.paused, "seq": jobs.seq})


async def set_queue(request: Request) -> Response:
    """Pause the queue or let it go on."""
    body = await read_body(request, QueueBody)
    jobs = services(request).jobs
    await (jobs.pause() if body.paused else jobs.resume())
    return answer({"paused": jobs.paused})


async def reorder(request: Request) -> Response:
    """Let jobs that wait take, in this order, the places that they hold now."""
    body = await read_body(request, OrderBody)
    await services(request).jobs.reorder(body.jobs)
    return await queue(request)


async def events(request: Request) -> Response:
    """The facts of all jobs after a number."""
    query = read_query(request, EventsQuery)
    jobs = services(request).jobs
    return answer(events_data(await jobs.events(query.since, limit=query.limit)) | {"seq": jobs.seq})


ROUTES = [
    Route("/api/v1/jobs", submit, methods=["POST"]),
    Route("/api/v1/jobs", list_jobs),
    Route("/api/v1/jobs/cancel", cancel_many, methods=["POST"]),
    Route(f"/api/v1/jobs/{JOB}/workflow", workflow),
    Route(f"/api/v1/jobs/{JOB}/events", job_events),
    Route(f"/api/v1/jobs/{JOB}/cancel", cancel, methods=["POST"]),
    Route(f"/api/v1/jobs/{JOB}", one_job),
    Route(f"/api/v1/jobs/{JOB}", move, methods=["PATCH"]),
    Route(f"/api/v1/jobs/{JOB}", forget, methods=["DELETE"]),
    Route("/api/v1/queue", queue),
    Route("/api/v1/queue", set_queue, methods=["PUT"]),
    Route("/api/v1/queue/order", reorder, methods=["PUT"]),
    Route("/api/v1/events", events),
]
