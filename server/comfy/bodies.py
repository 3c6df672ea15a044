"""What clients of ComfyUI send, whatever they call it: the body is JSON under any content type or none."""

import asyncio
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.requests import Request

from engine.errors import InputError, WorkflowError, shortened
from engine.formats.jsontext import LARGE, parse_json
from engine.formats.read import container_of, read

Id = Annotated[str, Field(min_length=1, max_length=200)]
Object = Annotated[dict[str, Any], BeforeValidator(lambda value: {} if value is None else value)]
Client = Annotated[Id | None, BeforeValidator(lambda value: None if value == "" else value)]
Yes = Annotated[bool, Field(strict=False), BeforeValidator(lambda value: False if value is None else value)]


class Body(BaseModel):
    """A JSON object. Names that are not known are left alone, as clients send many."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, defer_build=True)


class PromptBody(Body):
    """A job as ``POST /prompt`` has it; the lowest ``number`` runs first.

    The frontend sends an empty ``client_id`` until its socket is open.
    """

    prompt: dict[str, Any]
    client_id: Client = None
    prompt_id: Id | None = None
    number: Annotated[float, Field(allow_inf_nan=False)] | None = None
    front: Yes = False
    extra_data: Object = Field(default_factory=dict)
    partial_execution_targets: list[Id] | None = None


class DeleteBody(Body):
    """What to remove from the queue or from the history."""

    clear: Yes = False
    delete: list[Id] = Field(default_factory=list)


class JobsBody(Body):
    """The jobs to cancel."""

    job_ids: list[Id]


class InterruptBody(Body):
    """Which job to stop; None: all that run."""

    prompt_id: Id | None = None


B = TypeVar("B", bound=Body)
NO_OBJECT = frozenset({"model_type", "dict_type"})
"""What pydantic calls a value that should be a JSON object."""


async def read_json(request: Request) -> Any:
    """Return the body of a request. NaN and Infinity, which JSON does not have, are None.

    Raises:
        InputError: it is not JSON.
    """
    raw = await request.body()
    try:
        return await asyncio.to_thread(parse_json, raw, "The body") if len(raw) > LARGE else parse_json(raw, "The body")
    except WorkflowError as error:
        raise InputError(error.message, got=error.got, expected="JSON", hint="Send JSON.") from None


async def read_prompt(request: Request) -> Any:
    """Return the body of a request for a job: JSON, or made of the workflow that a picture or video carries.

    Raises:
        InputError: it is not JSON, or carries no workflow.
    """
    raw = await request.body()
    if container_of(raw[:16]) == "json":
        return await read_json(request)
    try:
        found = await asyncio.to_thread(read, raw)
    except WorkflowError as error:
        raise InputError(error.message, got=error.got, expected="a workflow", hint=error.hint) from None
    if found.api is None:
        return {"prompt": found.saved}
    return {"prompt": found.api, "extra_data": {"extra_pnginfo": {"workflow": found.saved}} if found.saved else {}}


async def read_body(request: Request, kind: type[B]) -> B:
    """Return the body of a request as one of these kinds.

    Raises:
        InputError: it is not JSON, or can't be used as this.
    """
    return checked(await read_json(request), kind)


def checked(given: Any, kind: type[B]) -> B:
    """Return a JSON value as a kind of body.

    Raises:
        InputError: it can't be; ``input`` says which part.
    """
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        issue = error.errors(include_url=False, include_context=False)[0]
        name = ".".join(map(str, issue["loc"]))
        wrong = "it is no JSON object" if issue["type"] in NO_OBJECT else issue["msg"]
        raise InputError(
            f"{name or 'The body'} can't be used: {wrong}.",
            input=name or None,
            got=shortened(issue.get("input")),
            hint="See the description of the route.",
        ) from None
