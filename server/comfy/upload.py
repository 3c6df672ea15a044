"""``/upload/image`` and ``/upload/mask``: files that come as forms."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import PurePosixPath

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from engine.errors import FileError
from engine.folders import Folders
from server.app.answers import answer
from server.app.services import services
from server.comfy.twice import twice
from server.comfy.view import located, split_name
from server.files.errors import FileTooLarge, NoSuchFile
from server.files.pictures import masked
from server.files.routes import LIMITS, once
from server.files.upload import BLOCK, receive

MOST_FIELDS = 20


async def image(request: Request) -> Response:
    """Take any file. One that has the name and another content keeps it, unless ``overwrite`` is true."""
    return await _take(request, mask=False)


async def mask(request: Request) -> Response:
    """Take a picture whose alpha channel is drawn into another, which ``original_ref`` names."""
    return await _take(request, mask=True)


async def _take(request: Request, mask: bool) -> Response:
    try:
        async with request.form(max_files=4, max_fields=MOST_FIELDS) as form:
            return await _stored(services(request).engine.folders, form, mask)
    except NoSuchFile as error:
        return _refuse(error, 404)
    except FileTooLarge as error:
        return _refuse(error, 413)
    except FileError as error:
        return _refuse(error, 400)
    except (TimeoutError, ConnectionError, ClientDisconnect):
        raise HTTPException(408, "The upload did not come to its end.") from None


async def _stored(folders: Folders, form: FormData, mask: bool) -> Response:
    file, subfolder = form.get("image"), str(form.get("subfolder") or "")
    _, place = split_name("", str(form.get("type") or "input"))
    if not isinstance(file, UploadFile) or not file.filename or place is None:
        raise FileError("The form has no file 'image', or no such type.", hint="Send image, and input as type.")
    content = chunks(file)
    if mask:
        drawn = await asyncio.to_thread(_draw, folders, str(form.get("original_ref") or ""), await _all(file))
        content = once(drawn)
    name = PurePosixPath(file.filename.replace("\\", "/")).name
    stored = await receive(
        content,
        folders.place(place),
        f"{subfolder}/{name}" if subfolder else name,
        conflict="overwrite" if form.get("overwrite") in ("true", "1") else "rename",
        limit=LIMITS.upload,
        stall=LIMITS.stall_seconds,
    )
    where = PurePosixPath(stored.name)
    below = "" if where.parent == PurePosixPath() else where.parent.as_posix()
    return answer({"name": where.name, "subfolder": below, "type": place})


def _draw(folders: Folders, reference: str, drawn: bytes) -> bytes:
    """Return the picture that ``reference`` names with the alpha channel of another."""
    try:
        named = json.loads(reference)
        filename, subfolder = str(named["filename"]), str(named.get("subfolder") or "")
        kind = str(named.get("type") or "output")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise FileError("original_ref names no file.", got=reference, expected='{"filename": ...}') from None
    name, place = split_name(filename, kind)
    if place is None:
        raise FileError("original_ref has no such type.", got=kind, expected="input, output or temp")
    return masked(located(folders, place, subfolder, name), drawn)


async def _all(file: UploadFile) -> bytes:
    if (file.size or 0) > LIMITS.body:
        raise FileTooLarge("The mask is too large.", expected=f"at most {LIMITS.body} bytes", hint="Send a PNG.")
    return await file.read()


async def chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(BLOCK):
        yield chunk


def _refuse(error: FileError, status: int) -> Response:
    return answer({"error": error.as_dict()}, status)


ROUTES: list[Route] = [*twice("/upload/image", image, "POST"), *twice("/upload/mask", mask, "POST")]
