"""``/userdata``: files that the frontend keeps, such as saved workflows."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.errors import FileError
from engine.folders import inside
from server.app.answers import answer
from server.app.services import services
from server.comfy.items import milliseconds
from server.comfy.twice import twice
from server.files.errors import FileConflict, NoSuchFile
from server.files.listing import newest
from server.files.routes import LIMITS, existing, whole
from server.files.upload import receive

STYLES = "user.css"
STATUSES: tuple[tuple[type[FileError], int], ...] = ((NoSuchFile, 404), (FileConflict, 409), (FileError, 403))


async def list_files(request: Request) -> Response:
    """The files of a folder: names, or what is known of each (``full_info``), or names in parts (``split``)."""
    query = request.query_params
    folder = query.get("dir", "").rstrip("/")
    if not folder:
        return answer({"error": "Name a folder: ?dir=workflows"}, 400)
    deep, full, split = (query.get(name, "").lower() == "true" for name in ("recurse", "full_info", "split"))

    def listed() -> list[Any]:
        found = sorted(newest(_root(request), folder), key=lambda file: file.name)
        names = [file.name.removeprefix(f"{folder}/") for file in found]
        kept = [name for name in names if deep or "/" not in name]
        if full:
            return [_info(_root(request) / folder / name, name) for name in kept]
        return [[name, *name.split("/")] for name in kept] if split else kept

    return await _answered(listed)


async def list_tree(request: Request) -> Response:
    """Folders, then files, of a folder and below it."""
    root, below = _root(request), request.query_params.get("path", "").rstrip("/")

    def listed() -> list[dict[str, Any]]:
        files = sorted(newest(root, below), key=lambda file: file.name)
        parents = {parent.as_posix() for file in files for parent in Path(file.name).parents} - {"."}
        kept = sorted(name for name in parents if name.startswith(f"{below}/" if below else ""))
        return [{"name": Path(name).name, "path": name, "type": "directory"} for name in kept] + [
            {
                "name": Path(file.name).name,
                "path": file.name,
                "type": "file",
                "size": file.size,
                "modified": milliseconds(file.modified),
            }
            for file in files
        ]

    return await _answered(listed)


async def read(request: Request) -> Response:
    """One file, as a download; ``user.css`` as the style sheet that it is, which may be empty."""
    name = STYLES if request.url.path == f"/{STYLES}" else _names(request)[0]
    try:
        path = await asyncio.to_thread(existing, _root(request), name, hidden=True)
    except FileError as error:
        return Response(media_type="text/css") if name == STYLES else _refuse(error)
    if name == STYLES:
        return Response(await asyncio.to_thread(path.read_bytes), media_type="text/css")
    return whole(request, path, download=True)


async def write(request: Request) -> Response:
    """Keep a file, or move one: ``/userdata/FILE/move/FILE``. The slashes in a name are ``%2F``."""
    root, (name, destination) = _root(request), _names(request)
    overwrite = request.query_params.get("overwrite", "true").lower() != "false"
    if destination is not None:
        return await _answered(lambda: _described(request, _move(root, name, destination, overwrite)))
    try:
        stored = await receive(
            request.stream(),
            root,
            name,
            conflict="overwrite" if overwrite else "refuse",
            limit=LIMITS.body,
            stall=LIMITS.stall_seconds,
            hidden=True,
        )
    except FileError as error:
        return _refuse(error)
    return answer(_described(request, root / stored.name))


async def delete(request: Request) -> Response:
    """Remove a file."""
    root, (name, _) = _root(request), _names(request)
    try:
        await asyncio.to_thread(lambda: existing(root, name, hidden=True).unlink(missing_ok=True))
    except FileError as error:
        return _refuse(error)
    return Response(status_code=204)


def _move(root: Path, name: str, destination: str, overwrite: bool) -> Path:
    target, source = inside(root, destination, new=True, hidden=True), existing(root, name, hidden=True)
    if target.exists() and not overwrite:
        raise FileConflict(f"There is another file {destination!r}.", got=destination)
    target.parent.mkdir(parents=True, exist_ok=True)
    return source.replace(target)


def _described(request: Request, path: Path) -> Any:
    name = path.relative_to(_root(request)).as_posix()
    return _info(path, name) if request.query_params.get("full_info", "").lower() == "true" else name


def _info(path: Path, name: str) -> dict[str, Any]:
    stat = path.stat()
    times = {"modified": milliseconds(stat.st_mtime), "created": milliseconds(stat.st_ctime)}
    return {"path": name, "size": stat.st_size, **times}


def _names(request: Request) -> tuple[str, str | None]:
    """Return the file that a path means and, if there is one, where it is to go."""
    raw = request.scope["raw_path"].decode("ascii").partition("/userdata/")[2].partition("?")[0]
    first, *rest = raw.split("/")
    if len(rest) == 2 and rest[0] == "move":
        return unquote(first), unquote(rest[1])
    return unquote(raw), None


def _root(request: Request) -> Path:
    return services(request).data / "comfy" / "userdata"


async def _answered(make: Callable[[], Any]) -> Response:
    try:
        return answer(await asyncio.to_thread(make))
    except FileError as error:
        return _refuse(error)


def _refuse(error: FileError) -> Response:
    status = next(status for kind, status in STATUSES if isinstance(error, kind))
    return answer({"error": error.as_dict()}, status)


ROUTES: list[Route] = [
    Route(f"/{STYLES}", read),
    *twice("/userdata", list_files),
    *twice("/v2/userdata", list_tree),
    *twice("/userdata/{name:path}", read),
    *twice("/userdata/{name:path}", write, "POST"),
    *twice("/userdata/{name:path}", delete, "DELETE"),
]
