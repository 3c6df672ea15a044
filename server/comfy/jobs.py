"""``/api/jobs``: the jobs of the queue and the past, as newer frontends list them."""

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.errors import InputError
from server.app.answers import Raw, answer
from server.app.ids import JOB
from server.app.services import services
from server.comfy.bodies import Body, JobsBody, checked, read_body
from server.comfy.events import failure
from server.comfy.history import messages, outputs
from server.comfy.items import WORKFLOW, extra_data, labelled, milliseconds, plain_number
from server.comfy.queue import cancel_all
from server.jobs.records import Job, JobState
from server.jobs.service import Jobs
from server.jobs.store import Order, Wanted

STATUSES: dict[str, JobState] = {
    "pending": "queued", "in_progress": "running", "completed": "succeeded", "failed": "failed",
    "cancelled": "cancelled",
}  # fmt: skip
NAMES = {state: status for status, state in STATUSES.items()}
ORDERS: dict[str, Order] = {"created_at": "created", "execution_duration": "seconds"}
MOST = 1000
LONGEST_TEXT = 1024
MEDIA = {"images": "images", "video": "video", "gifs": "gifs", "audio": "audio", "3d": "3d"}
VISUAL = ("images", "video", "gifs", "3d")


class ListQuery(Body):
    """Which jobs. ``status`` holds several, separated by commas."""

    status: str = ""
    workflow_id: str | None = None
    sort_by: Literal["created_at", "execution_duration"] = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"
    limit: Annotated[int, Field(strict=False, ge=1)] | None = None
    offset: Annotated[int, Field(strict=False, le=2**62)] = 0


async def list_jobs(request: Request) -> Response:
    """A page of jobs."""
    try:
        query = checked(dict(request.query_params), ListQuery)
    except InputError as error:
        return answer({"error": error.message}, 400)
    asked = [status for status in query.status.split(",") if status]
    if wrong := [status for status in asked if status not in STATUSES]:
        return answer({"error": f"Invalid status value(s): {', '.join(wrong)}"}, 400)
    offset = max(0, query.offset)
    wanted = Wanted(
        states=tuple(STATUSES[status] for status in asked),
        labels=() if query.workflow_id is None else (WORKFLOW + query.workflow_id,),
        order=ORDERS[query.sort_by],
        newest=query.sort_order == "desc",
        limit=min(query.limit or MOST, MOST),
        offset=offset,
        began=True,
    )
    page = await services(request).jobs.page(wanted)
    more = offset + len(page.jobs) < page.total
    pagination = {"offset": offset, "limit": query.limit, "total": page.total, "has_more": more}
    return answer({"jobs": [job_data(job) for job in page.jobs], "pagination": pagination})


async def one_job(request: Request) -> Response:
    """A job with its workflow and what it showed."""
    jobs = services(request).jobs
    job = jobs.find(request.path_params["id"])
    if job is None:
        return answer({"error": "Job not found"}, 404)
    return answer(await asyncio.to_thread(_details, jobs, job))


async def cancel(request: Request) -> Response:
    """Cancel a job, and say whether there was something to cancel."""
    return answer({"cancelled": await _cancel(services(request).jobs, [request.path_params["id"]])})


async def cancel_many(request: Request) -> Response:
    """Cancel several jobs, and say whether there was something to cancel."""
    try:
        body = await read_body(request, JobsBody)
    except InputError as error:
        return answer({"error": error.message}, 400)
    return answer({"cancelled": await _cancel(services(request).jobs, body.job_ids)})


async def _cancel(jobs: Jobs, ids: list[str]) -> bool:
    found = [id for id in ids if id in jobs.live.jobs]
    await cancel_all(jobs, found)
    return bool(found)


def job_data(job: Job) -> dict[str, Any]:
    """Return a job as a listing has it. Times are in milliseconds; what is not known is left out."""
    shown = list(_shown(job))
    found = {
        "id": job.id,
        "status": NAMES[job.state],
        "priority": plain_number(job),
        "create_time": milliseconds(job.created),
        "execution_start_time": job.began and milliseconds(job.began),
        "execution_end_time": job.ended and milliseconds(job.ended),
        "execution_error": failure(job.id, job.error, []) if job.error else None,
        "outputs_count": len(shown),
        "previewable_outputs_count": sum(item["mediaType"] in MEDIA for item in shown),
        "preview_output": min(shown, key=_rank, default=None),
        "workflow_id": labelled(job, WORKFLOW),
    }
    return {name: value for name, value in found.items() if value is not None}


def _details(jobs: Jobs, job: Job) -> dict[str, Any]:
    sent = jobs.sent(job.id)
    workflow = {"prompt": Raw(sent["workflow"]), "extra_data": extra_data(job, sent)}
    found = job_data(job) | {"workflow": workflow}
    if job.ended is None:
        return found
    told = [[said["type"], said["data"]] for said in messages(jobs, job)]
    failed = {kind: data for kind, data in told if kind == "execution_error"}
    state = "success" if job.state == "succeeded" else "error"
    status = {"status_str": state, "completed": state == "success", "messages": told}
    return (
        found
        | failed
        | {
            "outputs": outputs(job),
            "execution_status": status,
            "update_time": milliseconds(job.ended),
        }
    )


def _shown(job: Job) -> Iterator[dict[str, Any]]:
    """Yield everything that a job showed, each with its node and what kind of thing it is."""
    for node, output in outputs(job).items():
        for kind, items in output.items():
            for each in items if kind != "animated" else ():
                if isinstance(each, dict):
                    yield {**each, "nodeId": node, "mediaType": MEDIA.get(kind, kind)}
                elif isinstance(each, str):
                    cut = {"truncated": True} if len(each) > LONGEST_TEXT else {}
                    yield {"content": each[:LONGEST_TEXT], **cut, "nodeId": node, "mediaType": "text"}


def _rank(item: dict[str, Any]) -> int:
    """Return how well something stands for its job: saved pictures best, texts least."""
    visual = item["mediaType"] in VISUAL
    return 0 if visual and item.get("type") == "output" else 1 if visual else 2 if "filename" in item else 3


ROUTES: list[Route] = [
    Route("/api/jobs", list_jobs),
    Route("/api/jobs/cancel", cancel_many, methods=["POST"]),
    Route(f"/api/jobs/{JOB}/cancel", cancel, methods=["POST"]),
    Route(f"/api/jobs/{JOB}", one_job),
]
