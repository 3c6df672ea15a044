"""A web frontend that somebody installed: its files are at ``/``, and the page goes to ``/loomis``."""

import importlib.util
import os
from collections.abc import Iterable
from pathlib import Path

from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from engine.errors import SettingError
from server.page.routes import home

TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css"}
"""Types that browsers insist on and that some systems' lists lack."""


class Frontend(StaticFiles):
    """Static files that a browser asks about again each time: another version has other files of the same names."""

    def file_response(
        self, full_path: "str | os.PathLike[str]", stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Return a file, or that it did not change."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["cache-control"] = "no-cache"
        if type := TYPES.get(Path(full_path).suffix):
            response.headers["content-type"] = f"{type}; charset=utf-8"
        return response


def find_frontend(named: str) -> Path:
    """Return the folder of static files of a frontend: a path, or the name of an installed package, which is not run.

    Raises:
        SettingError: there is no such folder or package, or it has no ``index.html``.
    """
    for folder in [Path(named).expanduser(), *_package(named.replace("-", "_"))]:
        for place in (folder, folder / "static"):
            if (place / "index.html").is_file():
                return place.absolute()
    raise SettingError(
        f"There is no frontend {named!r}.",
        got=named,
        expected="a folder with an index.html, or a package that is installed",
        hint="Install it: pip install comfyui-frontend-package; then --frontend comfyui-frontend-package.",
    )


def _package(name: str) -> list[Path]:
    if not name.isidentifier() or (found := importlib.util.find_spec(name)) is None:
        return []
    return [Path(place) for place in found.submodule_search_locations or ()]


def with_frontend(routes: Iterable[BaseRoute], folder: Path) -> list[BaseRoute]:
    """Return the routes with a frontend at ``/`` and the page at ``/loomis``."""
    others = [route for route in routes if not (isinstance(route, Route) and route.path == "/")]
    return [*others, Route("/loomis", home), Mount("/", Frontend(directory=folder, html=True))]
