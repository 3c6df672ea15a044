"""``/object_info``: the node types, as bytes that are made again only when a type or a listed file changed."""

import asyncio
import json
import math
import threading
from collections.abc import Mapping, Sequence

from blake3 import blake3
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine import Engine
from engine.choices import offered
from engine.object_info import object_info
from engine.schema import FileChoices, NodeSpec
from server.app.answers import answer
from server.app.services import services
from server.comfy.twice import twice
from server.files.conditional import is_fresh
from server.refresh import refresh_packs

Listing = Mapping[FileChoices, Sequence[str]]


class Catalogue:
    """All node types of an engine as JSON, and the tag of that."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._specs: list[NodeSpec] = []
        self._listing: Listing = {}
        self._made: tuple[bytes, str] = b"", ""

    def bytes_and_tag(self) -> tuple[bytes, str]:
        """Return the types as they are now. Looks at the folders, so it belongs in a thread."""
        with self._lock:
            refresh_packs()
            specs, listing = list(self._engine.registry.specs.values()), self._list()
            if not self._specs or specs != self._specs or listing != self._listing:
                text = json.dumps(object_info(specs, self._engine.folders), separators=(",", ":")).encode()
                self._made = text, f'"{blake3(text).hexdigest(16)}"'
                self._specs, self._listing = specs, listing
            return self._made

    def _list(self) -> Listing:
        """Return the names of all files that an input could be."""
        ports = [port for spec in self._engine.registry.specs.values() for port in spec.inputs]
        sources = {port.choices for port in ports if isinstance(port.choices, FileChoices)}
        return {source: offered(source, self._engine.folders) for source in sources}


async def every_type(request: Request) -> Response:
    """All node types. A client that has them already gets 304."""
    catalogue: Catalogue = request.app.state.catalogue
    text, tag = await asyncio.to_thread(catalogue.bytes_and_tag)
    headers = {"etag": tag, "cache-control": "no-cache"}
    if is_fresh(request.headers, tag, math.inf):
        return Response(status_code=304, headers=headers)
    return Response(text, headers=headers, media_type="application/json")


async def one_type(request: Request) -> Response:
    """One node type, or an empty object."""
    engine = services(request).engine
    spec = engine.registry.specs.get(request.path_params["type"])
    return answer(await asyncio.to_thread(object_info, [spec] if spec else [], engine.folders))


ROUTES: list[Route] = [*twice("/object_info", every_type), *twice("/object_info/{type:path}", one_type)]
