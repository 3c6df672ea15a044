"""Answers as JSON, and which status an error has."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from engine.errors import InputError, JobConflict, JobError, LoomisError, NoSuchJob, StoreError, WorkflowError
from server.report import error_data

STATUSES: tuple[tuple[type[LoomisError], int], ...] = (
    (NoSuchJob, 404),
    (JobConflict, 409),
    (JobError, 409),
    (WorkflowError, 422),
    (InputError, 422),
    (StoreError, 503),
    (LoomisError, 500),
)
"""The first that fits counts."""


def answer(data: Any, status: int = 200) -> Response:
    """Return data as JSON."""
    text = json.dumps(data, separators=(",", ":"), default=str)
    return Response(text.encode(), status, media_type="application/json")


def error_answer(request: Request, error: Exception) -> Response:
    """Return what was wrong as ``{"error": {code, message, ...}}``."""
    told = error if isinstance(error, LoomisError) else LoomisError(str(error))
    status = next(status for kind, status in STATUSES if isinstance(told, kind))
    return answer({"error": error_data(told)}, status)
