"""All routes of API v2."""

from starlette.routing import BaseRoute

from server.comfy.v2 import assets, jobs

ROUTES: list[BaseRoute] = [*jobs.ROUTES, *assets.ROUTES]
