"""What this server can do, as clients are told over HTTP (``/features``) and when their socket opens."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.app.answers import answer
from server.comfy.twice import twice
from server.security.access import Limits

FLAGS: Mapping[str, Any] = {
    "supports_preview_metadata": True,
    "max_upload_size": Limits().upload,
    "assets": False,
    "node_replacements": False,
    "extension": {"manager": {"supports_v4": False}},
}


async def features(request: Request) -> Response:
    """The flags."""
    return answer(FLAGS)


ROUTES: list[Route] = twice("/features", features)
