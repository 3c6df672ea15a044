"""Routes of the page: ``/``, the example editor at ``/editor``, and the page's own files below ``/page``."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from server.page.documents import STATIC, document


async def home(request: Request) -> Response:
    """The page."""
    return document("index.html")


async def editor(request: Request) -> Response:
    """The example editor."""
    return document("editor.html")


ROUTES: list[BaseRoute] = [Route("/", home), Route("/editor", editor), Mount("/page", StaticFiles(directory=STATIC))]
