"""Every route of ComfyUI is there twice: as it is, and below ``/api``."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


def twice(path: str, endpoint: Endpoint, method: str = "GET") -> list[Route]:
    """Return both routes."""
    return [Route(prefix + path, endpoint, methods=[method]) for prefix in ("", "/api")]
