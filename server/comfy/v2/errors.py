"""What can be wrong with a request of API v2 alone, and the form in which it tells everything that is wrong.

LoomisError
├── MissingAsset       (InputError)    a workflow refers to an asset that is not there
├── BadCursor          (InputError)    a page of jobs is asked for that none goes before
├── KeyReused          (JobConflict)   an idempotency key was used before
├── HashMismatch       (FileConflict)  an upload has other content than its client said
├── NoSuchBlob         (NoSuchFile)    no asset has that content
├── ContentGone        (NoSuchFile)    the asset is known and its file is not there any more
├── NotDeletable       (FileError)     an asset that is the output of a job
└── TooManyStreams                     too many clients follow jobs
"""

from collections.abc import Mapping
from functools import wraps
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from engine.errors import (
    FileError,
    InputError,
    JobConflict,
    LoomisError,
    NoSuchJob,
    StoreError,
    ValidationError,
    WorkflowError,
)
from server.app.answers import answer
from server.comfy.twice import Endpoint
from server.files.errors import FileConflict, FileTooLarge, NoRoom, NoSuchFile

RETRY_SECONDS = 5


class MissingAsset(InputError):
    code = "missing_asset"


class BadCursor(InputError):
    code = "invalid_cursor"


class KeyReused(JobConflict):
    code = "idempotency_key_reuse"


class HashMismatch(FileConflict):
    code = "hash_mismatch"


class NoSuchBlob(NoSuchFile):
    code = "blob_not_found"


class ContentGone(NoSuchFile):
    code = "output_unavailable"


class NotDeletable(FileError):
    code = "forbidden"


class TooManyStreams(LoomisError):
    code = "too_many_streams"


ANSWERS: tuple[tuple[type[LoomisError], int, str], ...] = (
    (MissingAsset, 422, MissingAsset.code),
    (BadCursor, 400, BadCursor.code),
    (JobConflict, 422, KeyReused.code),
    (HashMismatch, 409, HashMismatch.code),
    (NoSuchBlob, 404, NoSuchBlob.code),
    (ContentGone, 404, ContentGone.code),
    (NotDeletable, 403, NotDeletable.code),
    (TooManyStreams, 429, TooManyStreams.code),
    (NoSuchJob, 404, "not_found"),
    (NoSuchFile, 404, "not_found"),
    (FileTooLarge, 413, "payload_too_large"),
    (NoRoom, 507, "no_room"),
    (FileError, 422, "invalid_request"),
    (WorkflowError, 422, "invalid_workflow"),
    (InputError, 400, "invalid_request"),
    (StoreError, 503, "unavailable"),
    (LoomisError, 500, "mistake"),
)
"""The first that fits counts."""

FIELDS = {
    "workflow": (422, "invalid_workflow"),
    "webhook_url": (422, "invalid_workflow"),
    "inputs": (422, "invalid_workflow"),
    "metadata": (422, "metadata_invalid"),
}
"""Fields of a job that have an answer of their own when they can't be used."""


def answered(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint whose errors are told as ``{"error": {code, message, details}}``."""

    @wraps(endpoint)
    async def wrapped(request: Request) -> Response:
        try:
            return await endpoint(request)
        except LoomisError as error:
            return error_answer(error)

    return wrapped


def error_answer(error: LoomisError) -> Response:
    """Return what was wrong."""
    kind, status, code = next(each for each in ANSWERS if isinstance(error, each[0]))
    if kind is InputError:
        status, code = FIELDS.get((error.input or "").partition(".")[0], (status, code))
    first = error.faults[0] if isinstance(error, ValidationError) else error
    message = f"{error.message} {first.hint}" if first.hint else error.message
    response = answer({"error": {"code": code, "message": message, "details": _details(error)}}, status)
    if status == 429:
        response.headers["retry-after"] = str(RETRY_SECONDS)
    return response


def _details(error: LoomisError) -> Mapping[str, Any] | None:
    match error:
        case ValidationError():
            return {"node_errors": node_errors(error)}
        case KeyReused():
            return {"job_id": error.got}
        case MissingAsset():
            return {"missing_ids": error.got}
    return None


def node_errors(error: ValidationError) -> dict[str, list[dict[str, Any]]]:
    """Return the faults of a workflow by node; those of the whole are under no name."""
    found: dict[str, list[dict[str, Any]]] = {}
    for fault in error.faults:
        message = f"{fault.message} {fault.hint}" if fault.hint else fault.message
        told = {"field": fault.input, "reason": fault.code, "message": message}
        found.setdefault(fault.node or "", []).append(told)
    return found
