"""What clients of API v2 send: a job as JSON, or a picture or video that carries its workflow."""

import asyncio
import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints
from starlette.requests import Request

from engine.formats.read import Found, container_of, read
from server.comfy.bodies import Body, checked, read_json
from server.jobs.records import Job

MOST_KEY = 255
METADATA = "metadata:"
"""How the labels of a job begin that its client gave it."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class ExtraData(Body):
    """Credentials of nodes that call services. There are no such nodes, so they are dropped."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    api_key_comfy_org: str = ""


class JobBody(Body):
    """A job. ``metadata`` are labels, or one text; ``webhook_url`` and ``inputs`` are reserved."""

    workflow: dict[str, Any]
    extra_data: ExtraData | None = None
    metadata: Annotated[dict[Text, Text], Field(max_length=16)] | Text | None = None
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] | None = None
    webhook_url: None = None
    inputs: None = None


class ListQuery(Body):
    """Which jobs. ``cursor`` is where the page before ended."""

    status: str = ""
    limit: Annotated[int, Field(strict=False, ge=1, le=100)] = 50
    cursor: str | None = None


class HashBody(Body):
    """Which content, and the name under which it is wanted."""

    hash: str
    file_path: Text | None = None


async def read_job(request: Request) -> tuple[JobBody, Mapping[str, Any]]:
    """Return a job, and what goes into its files beside the graph.

    Raises:
        InputError: it is not JSON, or can't be used as this.
        WorkflowError: it is a picture or video that carries no workflow.
    """
    raw = await request.body()
    if container_of(raw[:16]) == "json":
        return checked(await read_json(request), JobBody), {}
    workflow, extra = split(await asyncio.to_thread(read, raw))
    return JobBody(workflow=workflow), extra


def split(found: Found) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Return the graph that a file carries, or else the saved workflow, and what goes beside the graph."""
    if found.api is None:
        return found.saved or {}, {}
    return found.api, {} if found.saved is None else {"workflow": found.saved}


def labels(metadata: Mapping[str, str] | str | None) -> tuple[str, ...]:
    """Return the labels that keep what a client says of its job."""
    if isinstance(metadata, str):
        return (METADATA + json.dumps(metadata),)
    return tuple(METADATA + json.dumps(pair) for pair in (metadata or {}).items())


def metadata(job: Job) -> dict[str, str] | str | None:
    """Return what a client said of its job."""
    kept = [json.loads(label.removeprefix(METADATA)) for label in job.labels if label.startswith(METADATA)]
    return kept[0] if kept and isinstance(kept[0], str) else dict(kept) or None
