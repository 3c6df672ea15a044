"""Routes of the page: ``/``, and its own files below ``/page``."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from server.page.documents import STATIC, document


async def home(request: Request) -> Response:
    """The page."""
    return document("index.html")


ROUTES: list[BaseRoute] = [Route("/", home), Mount("/page", StaticFiles(directory=STATIC))]
