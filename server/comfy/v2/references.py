"""Assets in workflows: ``{"__type": "core/ASSET", "info": {"id": ...}}`` stands where the name of a file would."""

import asyncio
from pathlib import Path
from typing import Any

from starlette.requests import Request

from server.comfy.v2.asset_store import Asset
from server.comfy.v2.assets import find, path_of, with_digest
from server.comfy.v2.errors import MissingAsset
from server.comfy.v2.items import Item
from server.files.errors import NoSuchFile

TYPE = "core/ASSET"


def is_reference(value: Any) -> bool:
    """Return whether a value was meant as an asset."""
    return isinstance(value, dict) and value.get("__type") == TYPE


async def resolve(request: Request, workflow: dict[str, Any]) -> None:
    """Put the names of files in place of the assets of a workflow.

    Raises:
        MissingAsset: some are not there; ``got`` lists them. Nothing was changed.
    """
    names: list[tuple[Any, Any, str]] = []
    missing: list[str] = []
    for holder, key in places(workflow):
        info = holder[key].get("info")
        found = await referred(request, info)
        name = found.place if isinstance(found, Item) else found.name if found else None
        if name is None:
            missing.append(_name(info))
        else:
            names.append((holder, key, name))
    if missing:
        raise _missing(missing)
    for holder, key, name in names:
        holder[key] = name


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return where in a JSON value assets are: each as the object or list that has it, and its name or index there."""
    found, left = [], [value]
    while left:
        here = left.pop()
        for key, each in here.items() if isinstance(here, dict) else enumerate(here):
            if is_reference(each):
                found.append((here, key))
            elif isinstance(each, dict | list):
                left.append(each)
    return found


async def referred(request: Request, info: Any) -> Asset | Item | None:
    """Return the asset that a reference means, if it is there. Its id counts before its hash."""
    given = info if isinstance(info, dict) else {}
    try:
        return await find(request, str(given.get("id")))
    except NoSuchFile:
        return next(iter(await with_digest(request, str(given.get("hash")))), None)


async def carrier(request: Request, reference: dict[str, Any]) -> Path:
    """Return the file that stands in place of a whole workflow and carries it.

    Raises:
        MissingAsset: it is not there, or no file.
    """
    found = await referred(request, reference.get("info"))
    if found is None or (isinstance(found, Item) and found.place is None):
        raise _missing([_name(reference.get("info"))])
    return await asyncio.to_thread(path_of, request, found)


def _missing(ids: list[str]) -> MissingAsset:
    return MissingAsset(f"The workflow refers to assets that are not there: {', '.join(ids)}.", got=ids)


def _name(info: Any) -> str:
    return str(info.get("id")) if isinstance(info, dict) else str(info)
