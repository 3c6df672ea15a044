"""``/view``: a file of the input, output or temp folder, or a picture made of it."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.errors import FileError
from engine.folders import PLACES, Folders, Place
from server.app.services import services
from server.comfy.twice import twice
from server.files.errors import FileTooLarge, NoSuchFile
from server.files.pictures import channel, encoded
from server.files.routes import existing, made, whole


async def view(request: Request) -> Response:
    """A file: whole or a range of it, as WEBP or JPEG (``preview``), or one of its channels."""
    query = request.query_params
    name, place = split_name(query.get("filename", ""), query.get("type", "output"))
    if not query.get("filename"):
        return Response(status_code=404 if "filename" not in query else 400)
    if place is None or name.startswith("/") or ".." in name:
        return Response(status_code=400)
    try:
        path = await asyncio.to_thread(located, services(request).engine.folders, place, query.get("subfolder"), name)
        return await _sent(request, path)
    except NoSuchFile:
        return Response(status_code=404)
    except FileTooLarge:
        return Response(status_code=413)
    except FileError:
        return Response(status_code=403)


async def _sent(request: Request, path: Path) -> Response:
    query = request.query_params
    channels: Mapping[str, Literal["rgb", "a"]] = {"rgb": "rgb", "a": "a"}
    wanted = channels.get(query.get("channel", ""))
    if "preview" in query:
        format, quality = preview_form(query["preview"], "a" in query.get("channel", ""))
        type = f"image/{format.lower()}"
        return await made(request, path, f"-{format}-{quality}", partial(encoded, path, format, quality), type)
    if wanted:
        return await made(request, path, f"-{wanted}", partial(channel, path, wanted), "image/png")
    return whole(request, path)


def split_name(name: str, place: str) -> tuple[str, Place | None]:
    """Return a name without the place that may stand behind it, as in ``a.png [input]``, and the place."""
    for mark in PLACES:
        if name.endswith(f" [{mark}]"):
            return name.removesuffix(f" [{mark}]"), mark
    return name, next((each for each in PLACES if each == place), None)


def located(folders: Folders, place: Place, subfolder: str | None, name: str) -> Path:
    """Return the file that a client means. With a subfolder only the last part of the name counts.

    Raises:
        FileError: it leaves its folder; NoSuchFile: there is none.
    """
    return existing(folders.place(place), f"{subfolder}/{name.rpartition('/')[2]}" if subfolder else name)


def preview_form(wanted: str, alpha: bool) -> tuple[Literal["WEBP", "JPEG"], int]:
    """Return the format and quality (1 to 100) that ``webp;90`` asks for. JPEG has no alpha channel."""
    name, _, given = wanted.partition(";")
    quality = min(100, max(1, int(given))) if given.isdecimal() and len(given) < 4 else 90
    return "JPEG" if name == "jpeg" and not alpha else "WEBP", quality


ROUTES: list[Route] = twice("/view", view)
