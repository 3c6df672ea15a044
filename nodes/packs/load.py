"""Import a pack: its modules are executed once, and its node classes taken from what they define."""

import asyncio
import importlib
import inspect
import io
import os
import sys
import traceback
from collections.abc import Mapping
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import LoomisError, shortened
from nodes.packs import current
from nodes.packs.find import Pack
from nodes.packs.guard import forbid_installs
from nodes.packs.imports import ROOT, finder
from nodes.packs.names import answer


class PackFailed(LoomisError):
    """A pack can't be used. ``missing`` is a Python module that it imports and that is not installed."""

    code = "pack_failed"

    def __init__(self, message: str, *, missing: str | None = None, **about: Any) -> None:
        super().__init__(message, **about)
        self.missing = missing


@dataclass(frozen=True, slots=True)
class LoadedPack:
    """A pack's node classes by type, their names for people, and by name its folders of files for browsers."""

    pack: Pack
    classes: Mapping[str, type]
    titles: Mapping[str, str] = field(default_factory=dict)
    web: Mapping[str, Path] = field(default_factory=dict)


def load_pack(pack: Pack) -> LoadedPack:
    """Import a pack. What it prints is shown only when it fails.

    Raises:
        PackFailed: it can't be imported, or has no nodes.
    """
    forbid_installs()
    imports = finder.add(pack)
    before = pack.path / "prestartup_script.py"
    printed = io.StringIO()
    with ExitStack() as stack:
        stack.enter_context(current.running(pack.name))
        stack.enter_context(redirect_stdout(printed))
        stack.enter_context(redirect_stderr(printed))
        if pack.module not in sys.modules:
            stack.callback(pack.look_again)
        try:
            if pack.module not in sys.modules and before.is_file():
                imports.execute(f"{pack.module}.prestartup_script", before)
            return _contents(pack, importlib.import_module(pack.module))
        except (Exception, SystemExit) as error:
            if "LOOMIS_TRACEBACK" in os.environ:
                traceback.print_exc(file=sys.__stderr__)
            finder.forget(pack)
            raise failed(pack, error) from error


def _contents(pack: Pack, module: Any) -> LoadedPack:
    classes = dict(getattr(module, "NODE_CLASS_MAPPINGS", None) or {})
    titles = dict(getattr(module, "NODE_DISPLAY_NAME_MAPPINGS", None) or {})
    if entry := getattr(module, "comfy_entrypoint", None):
        for cls in asyncio.run(_extension_nodes(entry)):
            schema = cls.GET_SCHEMA()
            classes[schema.node_id] = cls
            titles[schema.node_id] = schema.display_name or schema.node_id
    given = getattr(answer("nodes"), "EXTENSION_WEB_DIRS", None)
    web = {name: Path(folder) for name, folder in dict(given if isinstance(given, dict) else {}).items()}
    web = {name: folder for name, folder in web.items() if folder.is_relative_to(pack.path)}
    if isinstance(folder := getattr(module, "WEB_DIRECTORY", None), str):
        web[pack.name] = (pack.file.parent / folder).resolve()
    web = {name: folder for name, folder in web.items() if folder.is_dir()}
    if not classes and not web:
        raise LoomisError("it defines no nodes")
    for type, cls in classes.items():
        answer("nodes").NODE_CLASS_MAPPINGS.setdefault(type, cls)  # type: ignore[union-attr]
    return LoadedPack(pack, classes, titles, web)


async def _extension_nodes(entry: Any) -> list[Any]:
    extension = entry()
    if inspect.isawaitable(extension):
        extension = await extension
    loaded = extension.on_load()
    if inspect.isawaitable(loaded):
        await loaded
    return list(await extension.get_node_list())


def failed(pack: Pack, error: BaseException) -> PackFailed:
    """Return a failure of a pack in one line, with the place in its sources."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(pack.path))]
    place = ""
    if frames:
        place = f" ({Path(frames[-1].filename).relative_to(pack.path.parent).as_posix()}:{frames[-1].lineno})"
    missing = error.name.partition(".")[0] if isinstance(error, ModuleNotFoundError) and error.name else None
    missing = None if missing == ROOT else missing
    said = " ".join(str(error).split()) or "no message"
    kind = "" if isinstance(error, LoomisError) else f"{type(error).__name__}: "
    return PackFailed(
        f"The node pack {pack.name} is skipped: {kind}{shortened(said, 300)}{place}",
        missing=missing,
        got=pack.name,
        expected="a pack that can be imported",
        hint=f"Install {missing} if you want its nodes." if missing else "See what the pack needs.",
    )
