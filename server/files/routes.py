"""Routes of files: ``/api/v1/files/{place}`` and below it, where a place is ``input``, ``output`` or ``temp``."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from engine.folders import PLACES, inside
from server.app.answers import answer
from server.app.bodies import Body, read_query
from server.app.services import services
from server.files.conditional import entity_tag, is_fresh
from server.files.errors import FileTooLarge, NoSuchFile
from server.files.listing import newest
from server.files.media import DOWNLOAD, kind, media_type
from server.files.pictures import masked, thumbnail
from server.files.upload import Conflict, receive
from server.security.access import Limits

LIMITS = Limits()
WRITABLE = ("input", "temp")

POLICY = "sandbox; default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'"
"""What a file may do that is opened by itself: nothing but be seen."""

_shrinking = asyncio.Semaphore(2)
"""Small pictures are made of two files at a time: the cores belong to the workers."""


class FilesQuery(Body):
    """Which files a listing has; ``below`` is a folder in the place."""

    below: Annotated[str, Field(max_length=1000)] = ""
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000
    offset: Annotated[int, Field(ge=0, le=2**31)] = 0


class FileQuery(Body):
    """How a file is sent. ``size`` asks for a picture as WEBP whose longer side has at most so many pixels."""

    size: Annotated[int, Field(ge=16, le=4096)] | None = None
    download: bool = False


class UploadQuery(Body):
    """What to do with an upload.

    ``conflict`` says what happens when another file has the name. With ``mask_of``, the name of a picture in the same
    place, the upload is a picture whose alpha channel is drawn into that one; the result is what is stored.
    """

    conflict: Conflict = "refuse"
    mask_of: Annotated[str, Field(min_length=1, max_length=1000)] | None = None


async def list_files(request: Request) -> Response:
    """The files of a place, newest first."""
    query = read_query(request, FilesQuery)
    files = await asyncio.to_thread(newest, _root(request), query.below)
    page = files[query.offset : query.offset + query.limit]
    return answer({"files": [asdict(file) | {"kind": kind(file.name)} for file in page], "total": len(files)})


async def read(request: Request) -> Response:
    """One file: whole, a range of it, or a picture made small. Nothing that could run is shown in a browser."""
    query = read_query(request, FileQuery)
    path = await asyncio.to_thread(existing, _root(request), request.path_params["name"])
    if query.size:
        return await made(request, path, f"-{query.size}", partial(thumbnail, path, query.size), "image/webp")
    return whole(request, path, query.download)


async def made(request: Request, path: Path, variant: str, make: Callable[[], bytes], type: str) -> Response:
    """Return what is made of a picture; ``variant`` tells it from other things that are made of it."""
    headers, fresh = _headers(request, path.stat(), variant)
    if fresh:
        return Response(status_code=304, headers=headers)
    async with _shrinking:
        data = await asyncio.to_thread(make)
    return Response(data, headers=headers, media_type=type)


def whole(request: Request, path: Path, download: bool = False) -> Response:
    """Return a file, or the range of it that is asked for. What could run in a browser is a download."""
    stat = path.stat()
    headers, fresh = _headers(request, stat)
    if fresh:
        return Response(status_code=304, headers=headers)
    type = media_type(path.name)
    disposition = "attachment" if download or type == DOWNLOAD else "inline"
    return FileResponse(
        path,
        headers=headers,
        media_type=type,
        filename=path.name,
        stat_result=stat,
        content_disposition_type=disposition,
    )


def _headers(request: Request, stat: os.stat_result, variant: str = "") -> tuple[dict[str, str], bool]:
    """Return the headers of a file, and whether the client has it already."""
    tag = entity_tag(stat, variant)
    headers = {"etag": tag, "cache-control": "private, no-cache", "content-security-policy": POLICY}
    return headers, is_fresh(request.headers, tag, stat.st_mtime)


async def write(request: Request) -> Response:
    """Take a file: the body of the request is its content. It is on disk, whole, when the answer comes."""
    query = read_query(request, UploadQuery)
    root, name = _root(request, WRITABLE), request.path_params["name"]
    limit = LIMITS.upload
    chunks: AsyncIterator[bytes] = request.stream()
    try:
        if query.mask_of is not None:
            original = await asyncio.to_thread(existing, root, query.mask_of)
            drawn = await asyncio.to_thread(masked, original, await _read_all(chunks))
            limit, chunks = len(drawn), once(drawn)
        stored = await receive(chunks, root, name, conflict=query.conflict, limit=limit, stall=LIMITS.stall_seconds)
    except (TimeoutError, ConnectionError, ClientDisconnect):
        raise HTTPException(408, "The upload did not come to its end.") from None
    return answer(asdict(stored), 201 if stored.created else 200)


def _root(request: Request, places: Collection[str] = PLACES) -> Path:
    """Return the folder of a place.

    Raises:
        NoSuchFile: there is no such place, or not for this.
    """
    place = request.path_params["place"]
    if place not in places:
        raise NoSuchFile(
            f"{place!r} is no place for this.", got=place, expected=", ".join(places), hint="Use one of these."
        )
    return services(request).engine.folders.place(place)


def existing(root: Path, name: str, *, hidden: bool = False) -> Path:
    """Return the file below ``root`` that a client means; ``hidden`` allows hidden names.

    Raises:
        FileError: the name can't be one; NoSuchFile: there is none.
    """
    path = inside(root, name, hidden=hidden)
    if not path.is_file():
        raise NoSuchFile(f"There is no file {name!r}.", got=name, hint="List the files to see their names.")
    return path


async def _read_all(chunks: AsyncIterator[bytes]) -> bytes:
    """Return a body that is decoded in memory."""
    whole = bytearray()
    async for chunk in chunks:
        whole += chunk
        if len(whole) > LIMITS.body:
            raise FileTooLarge("The mask is too large.", expected=f"at most {LIMITS.body} bytes", hint="Send a PNG.")
    return bytes(whole)


async def once(data: bytes) -> AsyncIterator[bytes]:
    """Return a body that is there already."""
    yield data


ROUTES = [
    Route("/api/v1/files/{place}", list_files),
    Route("/api/v1/files/{place}/{name:path}", read),
    Route("/api/v1/files/{place}/{name:path}", write, methods=["PUT"]),
]
