"""What the frontend asks of the server itself: ``/system_stats``, ``/internal``, and lists that are empty here."""

import asyncio
import platform
import sys
from typing import Any

import psutil
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.folders import PLACES
from nodes.machine import torch_version
from server.app.answers import answer
from server.app.services import Services, services
from server.app.system import own_version
from server.comfy.bodies import Body, Yes, read_body
from server.comfy.models import model_kinds, roots
from server.comfy.twice import Endpoint, twice
from server.files.listing import newest

COMFYUI_VERSION = "0.3.64"
"""The version whose routes are served, for clients that look at it."""

SIZE = {"cols": 80, "rows": 24}


class LogsBody(Body):
    """Whether a client wants to hear what is logged."""

    enabled: Yes = False


async def system_stats(request: Request) -> Response:
    """Memory, versions and devices."""
    return answer(await asyncio.to_thread(_stats, services(request)))


def _stats(found: Services) -> dict[str, Any]:
    memory = psutil.virtual_memory()
    system = {
        "os": sys.platform,
        "ram_total": memory.total,
        "ram_free": memory.available,
        "comfyui_version": COMFYUI_VERSION,
        "loomis_version": own_version(),
        "required_frontend_version": None,
        "installed_templates_version": None,
        "required_templates_version": None,
        "python_version": f"{platform.python_version()} ({platform.python_implementation()})",
        "pytorch_version": torch_version(),
        "embedded_python": False,
        "argv": [],
    }
    return {"system": system, "devices": _devices(found, memory.total, memory.available)}


def _devices(found: Services, total: int, free: int) -> list[dict[str, Any]]:
    """Return the devices of the workers, and what models take of each.

    What a GPU has is known to its worker alone, as soon as that has used a model.
    """
    devices = []
    for name in dict.fromkeys(worker.carrier.device for worker in found.dispatcher.workers):
        type, _, index = name.partition(":")
        uses = [worker.uses for worker in found.dispatcher.workers if worker.carrier.device == name]
        has = (total, free) if type == "cpu" else (max(use.total for use in uses), min(use.free for use in uses))
        reserved, used = (sum(getattr(use, field) for use in uses) for field in ("reserved", "used"))
        devices.append(
            {
                "name": name,
                "type": type,
                "index": int(index) if index else None if type == "cpu" else 0,
                "vram_total": has[0],
                "vram_free": has[1],
                "torch_vram_total": reserved,
                "torch_vram_free": reserved - used,
            }
        )
    return devices


def _always(data: Any) -> Endpoint:
    """Return a route that has nothing to tell."""

    async def nothing(request: Request) -> Response:
        return answer(data)

    return nothing


async def missing(request: Request) -> Response:
    """There is none."""
    return Response(status_code=404)


async def logs(request: Request) -> Response:
    """What was logged: the log goes to standard error, and none of it is kept."""
    return answer("")


async def raw_logs(request: Request) -> Response:
    """What was logged, line by line: none of it is kept."""
    return answer({"entries": [], "size": SIZE})


async def subscribe(request: Request) -> Response:
    """Accept that a client wants to hear what is logged. It hears nothing."""
    await read_body(request, LogsBody)
    return Response()


async def folder_paths(request: Request) -> Response:
    """Where the folders of models lie."""
    folders = services(request).engine.folders
    return answer({kind: roots(folders, kind) for kind in model_kinds(folders)})


async def files(request: Request) -> Response:
    """The names of the files in a place, newest first."""
    place = next((each for each in PLACES if each == request.path_params["place"]), None)
    if place is None:
        return answer({"error": "Invalid directory type"}, 400)
    root = services(request).engine.folders.place(place)
    found = await asyncio.to_thread(newest, root)
    return answer([file.name for file in found if "/" not in file.name])


ROUTES: list[Route] = [
    *twice("/system_stats", system_stats),
    *twice("/i18n", _always({})),
    *twice("/workflow_templates", _always({})),
    *twice("/global_subgraphs", _always({})),
    *twice("/global_subgraphs/{id}", missing),
    *twice("/node_replacements", _always({})),
    Route("/templates/index.json", _always([])),
    Route("/templates/index_logo.json", _always({})),
    Route("/internal/logs", logs),
    Route("/internal/logs/raw", raw_logs),
    Route("/internal/logs/subscribe", subscribe, methods=["PATCH"]),
    Route("/internal/folder_paths", folder_paths),
    Route("/internal/files/{place}", files),
]
