"""``/models``, ``/embeddings``, ``/experiment/models`` and ``/view_metadata``: which model files there are."""

import asyncio
import json
from pathlib import Path, PurePosixPath
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.errors import FileError
from engine.folders import KINDS, Folders
from server.app.answers import answer
from server.app.services import services
from server.comfy.items import milliseconds
from server.comfy.twice import twice

LARGEST_HEADER = 2**20


async def kinds(request: Request) -> Response:
    """The names of the folders."""
    return answer(model_kinds(services(request).engine.folders))


async def names(request: Request) -> Response:
    """The files of a folder."""
    folders, kind = services(request).engine.folders, request.path_params["kind"]
    if kind not in model_kinds(folders):
        return Response(status_code=404)
    return answer(await asyncio.to_thread(folders.names, kind))


async def embeddings(request: Request) -> Response:
    """The embeddings, as prompts name them."""
    found = await asyncio.to_thread(services(request).engine.folders.names, "embeddings")
    return answer([name.removesuffix(PurePosixPath(name).suffix) for name in found])


async def library(request: Request) -> Response:
    """The folders, and where each lies."""
    folders = services(request).engine.folders
    return answer([{"name": kind, "folders": roots(folders, kind)} for kind in model_kinds(folders)])


async def shelf(request: Request) -> Response:
    """The files of a folder, with sizes and times."""
    folders, kind = services(request).engine.folders, request.path_params["kind"]
    if kind not in model_kinds(folders):
        return Response(status_code=404)
    return answer(await asyncio.to_thread(_shelf, folders, kind))


async def metadata(request: Request) -> Response:
    """What a safetensors file says of itself."""
    folders, name = services(request).engine.folders, request.query_params.get("filename", "")
    try:
        path = await asyncio.to_thread(folders.model, request.path_params["kind"], name)
    except FileError:
        return Response(status_code=404)
    found = await asyncio.to_thread(_metadata, path) if path and path.suffix == ".safetensors" else None
    return Response(status_code=404) if found is None else answer(found)


def model_kinds(folders: Folders) -> list[str]:
    """Return the names of the folders of models."""
    return sorted({*KINDS, *folders.extra})


def roots(folders: Folders, kind: str) -> list[str]:
    """Return where the files of a kind lie."""
    return [str(root) for root in folders.roots(kind)]


def _shelf(folders: Folders, kind: str) -> list[dict[str, Any]]:
    places = folders.roots(kind)
    found = []
    for name in folders.names(kind):
        path = folders.model(kind, name)
        if path is None:  # removed meanwhile
            continue
        stat = path.stat()
        index = next(at for at, root in enumerate(places) if path.is_relative_to(root))
        times = {"modified": milliseconds(stat.st_mtime), "created": milliseconds(stat.st_ctime)}
        found.append({"name": name, "pathIndex": index, "size": stat.st_size, **times})
    return found


def _metadata(path: Path) -> Any:
    """Return the metadata in the header of a safetensors file, None where it has none."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length <= LARGEST_HEADER else {}
    except (OSError, ValueError, RecursionError):
        return None
    return header.get("__metadata__") if isinstance(header, dict) else None


ROUTES: list[Route] = [
    *twice("/embeddings", embeddings),
    *twice("/models", kinds),
    *twice("/models/{kind}", names),
    *twice("/experiment/models", library),
    *twice("/experiment/models/{kind}", shelf),
    *twice("/view_metadata/{kind}", metadata),
]
