"""``/api/v2/assets``: files that clients send for workflows, and what jobs show."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from blake3 import blake3
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from engine.errors import FileError, InputError
from server.app.answers import answer
from server.app.services import services
from server.comfy.bodies import read_body
from server.comfy.models import model_kinds
from server.comfy.upload import chunks
from server.comfy.v2.asset_store import Asset, AssetStore
from server.comfy.v2.bodies import HashBody
from server.comfy.v2.errors import ContentGone, HashMismatch, NoSuchBlob, NotDeletable, answered
from server.comfy.v2.items import Item, items, place_of
from server.comfy.v2.views import NEVER, Links, moment, size
from server.files.errors import NoSuchFile
from server.files.routes import LIMITS, existing, whole
from server.files.upload import BLOCK, receive

DIGEST = re.compile(r"(?:blake3:)?([0-9a-f]{64})")
MOST_FIELDS = 40


async def upload(request: Request) -> Response:
    """Take a file. Content that is there already is not stored again."""
    try:
        async with request.form(max_files=2, max_fields=MOST_FIELDS) as form:
            return await _taken(request, form)
    except (TimeoutError, ConnectionError, ClientDisconnect):
        raise HTTPException(408, "The upload did not come to its end.") from None


async def _taken(request: Request, form: FormData) -> Response:
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise InputError("The form has no file.", input="file", hint="Send it as the part 'file'.")
    name = _name(request, str(form.get("file_path") or file.filename or ""))
    type = str(form.get("content_type") or file.content_type or "application/octet-stream")
    digest = await _digest(file)
    expected = str(form.get("expected_hash") or "")
    if expected and _hex(expected) != digest:
        raise HashMismatch("The file has another content than its hash says.", got=digest, expected=expected)
    if known := await with_digest(request, digest):
        return await _minted(request, known, name, type)
    return await _added(request, chunks(file), name, type)


async def from_hash(request: Request) -> Response:
    """Make an asset of content that is there already."""
    body = await read_body(request, HashBody)
    known = await with_digest(request, body.hash)
    if not known:
        raise NoSuchBlob("There is no such content.", got=body.hash, hint="Upload it.")
    name = known[0].name if body.file_path is None else _name(request, body.file_path)
    return await _minted(request, known, name, known[0].content_type)


async def by_hash(request: Request) -> Response:
    """Whether some content is there."""
    known = await with_digest(request, request.path_params["hash"])
    return Response(status_code=200 if known else 404)


async def one(request: Request) -> Response:
    """What is known of an asset."""
    found = await find(request, request.path_params["id"])
    return answer(await asyncio.to_thread(_data, request, found))


async def content(request: Request) -> Response:
    """The bytes of an asset, or a range of them."""
    found = await find(request, request.path_params["id"])
    if isinstance(found, Item) and found.place is None:
        return Response(found.content, media_type=found.content_type)
    return whole(request, await asyncio.to_thread(path_of, request, found))


async def delete(request: Request) -> Response:
    """Forget an asset that was sent, with its file."""
    found = await find(request, request.path_params["id"])
    if isinstance(found, Item):
        raise NotDeletable("The asset is the output of a job.", got=found.id, hint="Forget the job instead.")
    await asyncio.to_thread(_store(request).remove, found)
    return Response(status_code=204)


async def find(request: Request, id: str) -> Asset | Item:
    """Return an asset that was sent, or something that a job shows.

    Raises:
        NoSuchFile: it is neither.
    """
    if asset := await asyncio.to_thread(_store(request).find, id):
        return asset
    if place := place_of(id):
        job = services(request).jobs.find(place[0])
        for item in items(job) if job else []:
            if item.id == id:
                return item
    raise NoSuchFile(f"There is no asset {id!r}.", got=id)


async def with_digest(request: Request, given: str) -> list[Asset]:
    """Return the assets whose content has a hash, newest first."""
    return await asyncio.to_thread(_store(request).with_digest, _hex(given))


def path_of(request: Request, found: Asset | Item) -> Path:
    """Return the file of an asset.

    Raises:
        ContentGone: it is not there any more.
    """
    folders = services(request).engine.folders
    try:
        return found.path(folders) if isinstance(found, Item) else existing(folders.input, found.name)
    except NoSuchFile:
        raise ContentGone("The file of the asset is gone.", got=found.id) from None


async def _minted(request: Request, known: list[Asset], name: str, type: str) -> Response:
    """Answer with an asset of known content: one of that name, or a new one beside it."""
    found = next((asset for asset in known if asset.name == name), None)
    if found is None:
        source = services(request).engine.folders.input / known[0].name
        return await _added(request, _read(source), name, type, new=False)
    return answer(_sent(request, found) | {"created_new": False})


async def _added(request: Request, data: AsyncIterator[bytes], name: str, type: str, new: bool = True) -> Response:
    """Store a file and answer with its asset."""
    root, store = services(request).engine.folders.input, _store(request)
    stored = await receive(data, root, name, conflict="rename", limit=LIMITS.upload, stall=LIMITS.stall_seconds)
    asset = await asyncio.to_thread(store.add, stored.digest, stored.name, type, stored.created)
    return answer(_sent(request, asset) | {"created_new": new}, 201 if new else 200)


def _store(request: Request) -> AssetStore:
    found: AssetStore = request.app.state.assets
    return found


def _name(request: Request, given: str) -> str:
    """Return the name below the input folder that a client means.

    Raises:
        FileError: it means a folder of models, which no client may fill.
    """
    name = given.replace("\\", "/").removeprefix("input/")
    first, slash, _ = name.partition("/")
    if slash and first in ("models", *model_kinds(services(request).engine.folders)):
        raise FileError("Models can't be sent.", got=given, hint="Put the file into its folder on the server.")
    return name


def _hex(given: str) -> str:
    """Return a hash without its prefix, or what no content has."""
    found = DIGEST.fullmatch(given.lower())
    return found[1] if found else given


async def _digest(file: UploadFile) -> str:
    hasher = blake3()
    async for chunk in chunks(file):
        await asyncio.to_thread(hasher.update, chunk)
    await file.seek(0)
    return hasher.hexdigest()


async def _read(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, BLOCK):
            yield chunk


def _data(request: Request, found: Asset | Item) -> dict[str, Any]:
    if isinstance(found, Asset):
        return _sent(request, found)
    links = Links.of(request)
    job, _, _ = place_of(found.id) or ("", "", 0)
    made = services(request).jobs.get(job)
    return {
        "id": found.id,
        "hash": None,
        "size_bytes": size(found, links.folders),
        "content_type": found.content_type,
        "file_path": found.name,
        "created_at": moment(made.ended or made.began or made.created),
        "url": links.content(found.id),
        "url_expires_at": NEVER,
        "job_id": job,
    }


def _sent(request: Request, asset: Asset) -> dict[str, Any]:
    return {
        "id": asset.id,
        "hash": f"blake3:{asset.digest}",
        "size_bytes": asset.size,
        "content_type": asset.content_type,
        "file_path": asset.name,
        "created_at": moment(asset.created),
        "url": Links.of(request).content(asset.id),
        "url_expires_at": NEVER,
    }


ROUTES = [
    Route("/api/v2/assets", answered(upload), methods=["POST"]),
    Route("/api/v2/assets/from-hash", answered(from_hash), methods=["POST"]),
    Route("/api/v2/assets/by-hash/{hash}", answered(by_hash), methods=["HEAD"]),
    Route("/api/v2/assets/{id}", answered(one)),
    Route("/api/v2/assets/{id}", answered(delete), methods=["DELETE"]),
    Route("/api/v2/assets/{id}/content", answered(content)),
]
