"""The route of what can be set in a workflow: ``/api/v1/parameters``."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.formats.read import container_of
from server.app.answers import answer
from server.app.bodies import WorkflowBody, read_body
from server.app.services import services
from server.offered import offered


async def parameters(request: Request) -> Response:
    """What can be set in a workflow, or in one that a picture or video carries, with a JSON Schema of it."""
    raw = await request.body()
    is_json = container_of(raw[:16]) == "json"
    workflow: Any = (await read_body(request, WorkflowBody)).workflow if is_json else raw
    engine = services(request).engine

    def data() -> dict[str, Any]:
        return offered(engine.load(workflow), engine.registry).data(engine.folders)

    return answer(await asyncio.to_thread(data))


ROUTES = [Route("/api/v1/parameters", parameters, methods=["POST"])]
