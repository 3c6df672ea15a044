"""The ASGI application."""

from starlette.applications import Starlette

from engine.errors import LoomisError
from server.app import health, jobs, nodes
from server.app.answers import error_answer
from server.app.services import Services


def application(services: Services) -> Starlette:
    """Return the application with all its routes."""
    app = Starlette(
        routes=[*jobs.ROUTES, *nodes.ROUTES, *health.ROUTES],
        exception_handlers={LoomisError: error_answer},
    )
    app.state.services = services
    return app
