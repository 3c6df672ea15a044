"""What node packs have for browsers: their files at ``/extensions/PACK``, and their own routes."""

import logging
import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from server.app.answers import answer
from server.app.services import services
from server.comfy.frontend import Frontend
from server.comfy.twice import twice

if TYPE_CHECKING:
    from nodes.packs.facts import PackFacts


log = logging.getLogger("loomis.packs")


async def scripts(request: Request) -> Response:
    """The paths of all scripts of packs, which the frontend imports."""
    found = []
    for pack in services(request).packs:
        for name, folder in pack.web.items():
            below = sorted(file.relative_to(folder).as_posix() for file in Path(folder).rglob("*.js"))
            found += [f"/extensions/{quote(name)}/{quote(each)}" for each in below]
    return answer(found)


def pack_routes(packs: Iterable["PackFacts"]) -> list[BaseRoute]:
    """Return the routes of packs: their files for browsers, and theirs, which a worker answers."""
    routes: list[BaseRoute] = []
    for pack in packs:
        for method, path in pack.routes:
            routes += _forwarded(pack.name, method, path)
        folders = {f"/extensions/{name}": folder for name, folder in pack.web.items()} | pack.files
        for prefix, folder in folders.items():
            if Path(folder).is_dir():
                routes.append(Mount("/" + prefix.strip("/"), Frontend(directory=folder)))
            else:
                log.warning("The folder %s of the node pack %s is not there.", folder, pack.name)
    return routes


def _forwarded(pack: str, method: str, path: str) -> list[Route]:
    """Return a route of a pack, with and without ``/api``. aiohttp writes parts as ``{name:.+}``."""
    plain = re.sub(r"\{(\w+):[^{}]*\}", r"{\1:path}", path)
    methods = None if method == "*" else [method]
    return [Route(prefix + plain, partial(_forward, pack, prefix), methods=methods) for prefix in ("", "/api")]


async def _forward(pack: str, prefix: str, request: Request) -> Response:
    path = quote(request.url.path.removeprefix(prefix)) + (f"?{request.url.query}" if request.url.query else "")
    asked = services(request).asked
    assert asked  # there are packs
    status, headers, body = await asked.request(
        pack, request.method, path, list(request.headers.items()), await request.body()
    )
    response = Response(body, status)
    response.raw_headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return response


ROUTES: list[BaseRoute] = [*twice("/extensions", scripts)]
