"""Which folders a pack listed for its choices, and whether they have changed since."""

import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from engine.folders import KINDS, Folders
from nodes.packs.find import Pack

LISTS = frozenset({"os.listdir", "os.scandir"})
_watches: list["Watch"] = []


class Watch:
    """Notes the folders that are listed while it is entered: ours, and those of the pack that hold no Python files.

    Folders of models that are not there are noted too: nobody lists them, and they may come.
    """

    def __init__(self, pack: Pack, folders: Folders) -> None:
        roots = [root for kind in KINDS for root in folders.roots(kind)]
        self._pack = pack.path
        self._roots = [str(each) for each in (*roots, *folders.models, folders.input, folders.output)]
        self._listed = {str(root) for root in roots if not root.is_dir()}

    def __enter__(self) -> Self:
        _install()
        _watches.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _watches.remove(self)

    def note(self, folder: str) -> None:
        """Note a folder that is being listed."""
        if any(folder == root or folder.startswith(root + os.sep) for root in (*self._roots, str(self._pack))):
            self._listed.add(folder)

    def states(self) -> dict[str, str]:
        """Return the folders with what tells their state."""
        return {folder: state(folder) for folder in sorted(self._listed) if not self._is_code(folder)}

    def _is_code(self, folder: str) -> bool:
        path = Path(folder)
        return path.is_relative_to(self._pack) and (path.name == "__pycache__" or bool(list(path.glob("*.py"))))


def state(folder: str) -> str:
    """Return what changes when names in a folder do; empty where it is not there."""
    try:
        return str(os.stat(folder).st_mtime_ns)  # noqa: PTH116
    except OSError:
        return ""


def unchanged(states: Mapping[str, str]) -> bool:
    """Whether folders are as they were."""
    return all(state(folder) == before for folder, before in states.items())


@cache
def _install() -> None:
    sys.addaudithook(_see)


def _see(event: str, arguments: tuple[Any, ...]) -> None:
    if _watches and event in LISTS and isinstance(arguments[0], str | os.PathLike):
        folder = os.path.abspath(os.fspath(arguments[0]))  # noqa: PTH100
        if isinstance(folder, str):
            for watch in tuple(_watches):
                watch.note(folder)
