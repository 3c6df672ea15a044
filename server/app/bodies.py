"""What clients send over HTTP, checked where it comes in."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from engine.errors import InputError, WorkflowError
from engine.formats.jsontext import LARGE, parse_json
from server.batch.axes import MAX_ROWS
from server.batches.records import BATCH_ID, BatchSubmission
from server.jobs.records import JobState, Submission
from server.jobs.store import Order, Wanted

Priority = Annotated[int, Field(ge=-100, le=100)]
Id = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=1000)]


class Body(BaseModel):
    """A JSON object without unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class SubmitBody(Body):
    """A job as it is asked for; see `Submission`. ``timeout`` is in seconds."""

    workflow: dict[str, Any]
    id: Id | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    targets: tuple[str, ...] | None = None
    partial: bool = False
    keep: tuple[str, ...] = ()
    priority: Priority = 0
    front: bool = False
    timeout: Annotated[float, Field(gt=0, le=10**7, allow_inf_nan=False)] | None = None
    labels: Annotated[tuple[Text, ...], Field(max_length=100)] = ()
    owner: Text = ""
    client: Text | None = None
    extra: dict[str, Any] = Field(default_factory=dict)
    annotations: dict[str, Any] = Field(default_factory=dict)

    def submission(self) -> Submission:
        """Return it as the jobs know it."""
        return Submission(**{name: getattr(self, name) for name in SubmitBody.model_fields})


class WorkflowBody(Body):
    """A workflow in any format."""

    workflow: dict[str, Any]


Axis = Annotated[str, Field(max_length=100_000)] | Annotated[tuple[Any, ...], Field(max_length=MAX_ROWS)]


class BatchBody(Body):
    """A batch as it is asked for; see `BatchSubmission` and batch.md.

    A text in place of a row says why it can't be used. An axis is a list or a text such as ``1..100``.
    """

    workflow: dict[str, Any]
    id: Annotated[str, Field(pattern=BATCH_ID)] | None = None
    rows: Annotated[tuple[dict[str, Any] | Text, ...], Field(max_length=MAX_ROWS)] = ()
    grid: dict[str, Axis] = Field(default_factory=dict)
    zip: dict[str, Axis] = Field(default_factory=dict)
    values: dict[str, Any] = Field(default_factory=dict)
    count: Annotated[int, Field(ge=1, le=MAX_ROWS)] = 1
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0
    batch_seeds: Annotated[int, Field(ge=1, le=1000)] = 1
    out: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    targets: tuple[str, ...] | None = None
    sheet: bool = False
    priority: Priority = 0
    labels: Annotated[tuple[Text, ...], Field(max_length=100)] = ()
    owner: Text = ""

    def submission(self) -> BatchSubmission:
        """Return it as the batches know it."""
        return BatchSubmission(**{name: getattr(self, name) for name in BatchBody.model_fields})


class PageQuery(Body):
    """Which part of a listing."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    offset: Annotated[int, Field(ge=0, le=2**62)] = 0


class NodesQuery(Body):
    """What node types are looked for by.

    ``search`` are words in types, titles, sockets, categories and descriptions. ``like`` is a type or title as somebody
    spelled it: the few that are nearest.
    """

    search: Annotated[str, Field(max_length=200)] = ""
    like: Annotated[str, Field(max_length=200)] = ""


class BatchesQuery(PageQuery):
    """Which batches a listing has. ``start`` is what their ids begin with."""

    start: str = ""


class MoveBody(Body):
    """Where a job that waits goes."""

    priority: Priority | None = None
    front: bool = False


class OrderBody(Body):
    """Jobs that wait, in the order in which they are to run."""

    jobs: tuple[str, ...]


class FreeBody(Body):
    """What workers let go of: models, which are loaded again, and remembered ``values``, which stay on disk."""

    models: bool = True
    values: bool = False


class QueueBody(Body):
    """Whether the queue begins no more jobs."""

    paused: bool


class CancelBody(Body):
    """The jobs to cancel."""

    jobs: tuple[str, ...]


class JobsQuery(Body):
    """Which jobs a listing has. ``state`` may be repeated or hold several, separated by commas.

    ``start`` is what their ids begin with. Without ``rows`` those of batches are left out.
    """

    state: tuple[JobState, ...] = ()
    owner: str | None = None
    client: str | None = None
    label: str | None = None
    start: str = ""
    rows: bool = True
    order: Order = "created"
    newest: bool = True
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    offset: Annotated[int, Field(ge=0, le=2**62)] = 0

    def wanted(self) -> Wanted:
        """Return it as the jobs know it."""
        fields = {name: getattr(self, name) for name in JobsQuery.model_fields if name not in ("state", "label")}
        return Wanted(states=self.state, labels=() if self.label is None else (self.label,), **fields)


class EventsQuery(Body):
    """Which facts: those after ``since``."""

    since: Annotated[int, Field(ge=0, lt=2**63)] = 0
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000


B = TypeVar("B", bound=Body)


async def read_body(request: Request, kind: type[B]) -> B:
    """Return the JSON body of a request.

    Raises:
        InputError: it is not JSON or not of this kind.
    """
    raw = await request.body()
    if len(raw) <= LARGE:
        return _checked(kind.model_validate_json, raw)
    try:
        return _checked(kind.model_validate, await asyncio.to_thread(parse_json, raw, "The body"))
    except WorkflowError as error:
        raise InputError(error.message, got=error.got, expected="JSON", hint="Send JSON.") from None


def read_query(request: Request, kind: type[B]) -> B:
    """Return the query of a request.

    Raises:
        InputError: a name is unknown, or a value can't be used.
    """
    given: dict[str, Any] = dict(request.query_params)
    if "state" in given:
        given["state"] = ",".join(request.query_params.getlist("state")).split(",")
    return _checked(kind.model_validate, given)


def _checked(validate: Callable[[Any], B], given: Any) -> B:
    try:
        return validate(given)
    except ValidationError as error:
        issues = error.errors(include_url=False, include_context=False)
        issue = next((issue for issue in issues if issue["type"] == "missing"), issues[0])
        got = issue.get("input")
        raise InputError(
            f"What was sent can't be used: {issue['msg']}.",
            input=".".join(map(str, issue["loc"])) or None,
            got=got.decode(errors="replace") if isinstance(got, bytes) else got,
            hint='Send {"workflow": ...}.' if issue["loc"] == ("workflow",) else "See /api/v1/openapi.json.",
        ) from None
