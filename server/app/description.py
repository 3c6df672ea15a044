"""The route of the API's description: ``/api/v1/openapi.json``."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.app.answers import answer


async def describe(request: Request) -> Response:
    """The description of this API."""
    from server.app.openapi import openapi  # its models take long to make, and few clients ask

    return answer(openapi(request.app.routes))


ROUTES = [Route("/api/v1/openapi.json", describe)]
