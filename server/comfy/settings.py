"""``/settings`` and ``/users``: what the frontend remembers of its one user."""

import asyncio
import json
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.errors import InputError
from engine.outputs import write
from server.app.answers import answer
from server.app.services import Services, services
from server.comfy.bodies import read_json
from server.comfy.twice import twice

_writing = asyncio.Lock()


async def all_settings(request: Request) -> Response:
    """Every setting."""
    return answer(await asyncio.to_thread(_read, _file(services(request))))


async def one_setting(request: Request) -> Response:
    """One setting, or null."""
    found = await asyncio.to_thread(_read, _file(services(request)))
    return answer(found.get(request.path_params["id"]))


async def change(request: Request) -> Response:
    """Change some settings."""
    given = await read_json(request)
    if not isinstance(given, dict):
        raise InputError("Settings are a JSON object.", got=type(given).__name__, expected='{"id": value}')
    await _change(services(request), given)
    return Response()


async def change_one(request: Request) -> Response:
    """Change one setting."""
    await _change(services(request), {request.path_params["id"]: await read_json(request)})
    return Response()


async def _change(found: Services, given: dict[str, Any]) -> None:
    file = _file(found)
    async with _writing:
        settings = await asyncio.to_thread(_read, file) | given
        await asyncio.to_thread(write, file, json.dumps(settings, indent=1).encode())


def _file(found: Services) -> Path:
    return found.data / "comfy" / "settings.json"


def _read(file: Path) -> dict[str, Any]:
    """Return what is in the file; nothing where it is missing or damaged."""
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


async def users(request: Request) -> Response:
    """There is one user, whose settings are kept here."""
    return answer({"storage": "server", "migrated": True})


async def add_user(request: Request) -> Response:
    """There is one user only."""
    return answer({"error": "This server has one user."}, 400)


ROUTES: list[Route] = [
    *twice("/settings", all_settings),
    *twice("/settings", change, "POST"),
    *twice("/settings/{id:path}", one_setting),
    *twice("/settings/{id:path}", change_one, "POST"),
    *twice("/users", users),
    *twice("/users", add_user, "POST"),
]
