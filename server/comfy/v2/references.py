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


async def resolved(request: Request, workflow: dict[str, Any]) -> dict[str, Any]:
    """Return a workflow with the names of files in place of assets.

    Raises:
        MissingAsset: some are not there; ``got`` lists them.
    """
    names: dict[str, str] = {}
    missing: list[str] = []
    for info in infos(workflow):
        found = await referred(request, info)
        name = found.place if isinstance(found, Item) else found.name if found else None
        if name is None:
            missing.append(_key(info))
        else:
            names[_key(info)] = name
    if missing:
        raise _missing(missing)
    return _replaced(workflow, names) if names else workflow


def infos(value: Any) -> list[Any]:
    """Return what every asset in a JSON value says of itself."""
    found, left = [], [value]
    while left:
        here = left.pop()
        if is_reference(here):
            found.append(here.get("info"))
        elif isinstance(here, dict | list):
            left += here.values() if isinstance(here, dict) else here
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
        raise _missing([_key(reference.get("info"))])
    return await asyncio.to_thread(path_of, request, found)


def _missing(ids: list[str]) -> MissingAsset:
    return MissingAsset(f"The workflow refers to assets that are not there: {', '.join(ids)}.", got=ids)


def _key(info: Any) -> str:
    return str(info.get("id")) if isinstance(info, dict) else str(info)


def _replaced(value: Any, names: dict[str, str]) -> Any:
    if is_reference(value):
        return names[_key(value["info"])]
    if isinstance(value, dict):
        return {name: _replaced(each, names) for name, each in value.items()}
    return [_replaced(each, names) for each in value] if isinstance(value, list) else value
