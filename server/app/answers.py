"""Answers as JSON, and which status an error has."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine.errors import (
    FileError,
    InputError,
    JobConflict,
    JobError,
    LoomisError,
    NoSuchJob,
    SettingError,
    StoreError,
    WorkflowError,
)
from server.files.errors import FileConflict, FileTooLarge, NoRoom, NoSuchFile
from server.report import error_data

STATUSES: tuple[tuple[type[LoomisError], int], ...] = (
    (NoSuchJob, 404),
    (JobConflict, 409),
    (JobError, 409),
    (NoSuchFile, 404),
    (FileConflict, 409),
    (FileTooLarge, 413),
    (NoRoom, 507),
    (FileError, 422),
    (WorkflowError, 422),
    (InputError, 422),
    (SettingError, 422),
    (StoreError, 503),
    (LoomisError, 500),
)
"""The first that fits counts."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A part of an answer that is JSON already."""

    text: bytes


def answer(data: Any, status: int = 200) -> Response:
    """Return data as JSON."""
    raws: list[bytes] = []
    place = uuid4().hex  # no text of the data is this

    def other(value: Any) -> str:
        if not isinstance(value, Raw):
            return str(value)
        raws.append(value.text)
        return place

    pieces = json.dumps(data, separators=(",", ":"), default=other).encode().split(f'"{place}"'.encode())
    whole = [piece for pair in zip(pieces, [*raws, b""], strict=True) for piece in pair]
    return Response(b"".join(whole), status, media_type="application/json")


def error_answer(request: Request, error: Exception) -> Response:
    """Return what was wrong as ``{"error": {code, message, ...}}``."""
    told = error if isinstance(error, LoomisError) else LoomisError(str(error))
    status = next(status for kind, status in STATUSES if isinstance(told, kind))
    return answer({"error": error_data(told)}, status)


def http_answer(request: Request, error: Exception) -> Response:
    """Return what the framework refuses in the same form: no such path or method, too large a body."""
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    answered = answer({"error": {"code": code, "message": error.detail}}, error.status_code)
    answered.headers.update(error.headers or {})
    return answered


def mistake_answer(request: Request, error: Exception) -> Response:
    """Return that the server made a mistake. What it was is in the log."""
    message = "The server made a mistake. Its log says which."
    return answer({"error": {"code": "mistake", "message": message, "hint": "Report it with the log."}}, 500)
