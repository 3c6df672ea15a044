"""Routes of the vocabulary: ``/api/v1/nodes``."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.errors import InputError
from engine.spelling import nearest
from server.app.answers import answer
from server.app.bodies import NodesQuery, read_query
from server.app.services import services
from server.refresh import refresh_packs
from server.schema import node_data
from server.search import search, spelled_alike


async def all_nodes(request: Request) -> Response:
    """Every node type, files as they are now; or those that have the words in ``search``, or are spelled ``like``."""
    engine = services(request).engine
    query = read_query(request, NodesQuery)

    def listed() -> list[dict[str, Any]]:
        refresh_packs()
        found = list(engine.registry.specs.values())
        if query.search:
            found = search(query.search, found)
        if query.like:
            found = spelled_alike(query.like, found)
        return [node_data(spec, engine.folders) for spec in found]

    return answer(await asyncio.to_thread(listed))


async def one_node(request: Request) -> Response:
    """One node type."""
    engine = services(request).engine
    type = request.path_params["type"]
    spec = engine.registry.specs.get(type)
    if spec is None:
        near = nearest(type, engine.registry.specs)
        error = InputError(f"There is no node type {type!r}.", got=type, expected=near, hint="List them all.")
        return answer({"error": error.as_dict()}, 404)
    return answer(node_data(spec, engine.folders))


ROUTES = [Route("/api/v1/nodes", all_nodes), Route("/api/v1/nodes/{type:path}", one_node)]
