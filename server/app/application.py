"""The ASGI application."""

import asyncio

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from engine.errors import LoomisError
from server.app import batches, description, health, jobs, metrics, nodes, parameters, system
from server.app.answers import error_answer, http_answer, mistake_answer
from server.app.services import Services
from server.comfy import routes as comfy
from server.comfy.extensions import pack_routes
from server.comfy.frontend import with_frontend
from server.comfy.hub import Hub
from server.comfy.object_info import Catalogue
from server.comfy.v2.asset_store import AssetStore
from server.comfy.v2.events import MOST_STREAMS
from server.files import routes as files
from server.page import routes as page
from server.socket import endpoint
from server.socket.desks import Desks

ROUTES = [
    *jobs.ROUTES,
    *batches.ROUTES,
    *nodes.ROUTES,
    *parameters.ROUTES,
    *files.ROUTES,
    *health.ROUTES,
    *system.ROUTES,
    *metrics.ROUTES,
    *description.ROUTES,
    *page.ROUTES,
    *endpoint.ROUTES,
]


def application(services: Services) -> Starlette:
    """Return the application with all its routes."""
    routes = [*ROUTES, *comfy.ROUTES, *pack_routes(services.packs)]
    app = Starlette(
        routes=with_frontend(routes, services.frontend) if services.frontend else routes,
        exception_handlers={LoomisError: error_answer, HTTPException: http_answer, Exception: mistake_answer},
    )
    app.state.services = services
    app.state.catalogue = Catalogue(services.engine)
    app.state.assets = AssetStore(services.data / "comfy" / "assets.db", services.engine.folders.input)
    app.state.streams = asyncio.Semaphore(MOST_STREAMS)
    app.state.hub = Hub(services.jobs)
    app.state.desks = Desks(services.engine, services.jobs)
    return app
