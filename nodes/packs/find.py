"""Find node packs: folders with an ``__init__.py``, and single Python files, below the folders that are named."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from blake3 import blake3

from engine.errors import FileError, SettingError

NOT_SOURCES = frozenset({"__pycache__", "node_modules", "site-packages", "logs", "output", "outputs", "temp", "tmp"})
"""Folders of a pack that don't count for its version, as those don't that begin with a dot."""

MADE = (".pyc", ".pyo", ".log", ".lock", ".tmp")
"""Files that don't."""

LARGE = 2**20
"""Bytes above which only size and time of change of a file count that is no source."""


@dataclass(frozen=True)
class Pack:
    """A pack of nodes for ComfyUI: its name and where it lies, a folder or a file."""

    name: str
    path: Path

    @cached_property
    def digest(self) -> str:
        """What tells its version: 16 hex digits of blake3 of the names and contents of its files.

        Of large files that are no sources, size and time of change count.
        """
        hasher = blake3()
        for name, path in sorted(_files(self.path)):
            hasher.update(f"{name}\0".encode("utf-8", "surrogateescape"))
            hasher.update(self._sources.get(path) or _state(path))
        return hasher.hexdigest(8)

    def look_again(self) -> None:
        """Find the version anew: a pack may write files beside it when it is imported. Sources count as they were."""
        vars(self).pop("digest", None)

    @cached_property
    def _sources(self) -> Mapping[Path, bytes]:
        """The digests of its Python files."""
        return {path: _digest(path) for name, path in _files(self.path) if name.endswith(".py")}

    def check(self, source: Path) -> None:
        """See that a Python file is what it was when the version was found.

        Raises:
            FileError: it is not.
        """
        before = self._sources.get(source)
        if before is not None and before != _digest(source):
            raise FileError(
                f"{source.name} of the node pack {self.name} has changed since Loomis started.",
                got=str(source),
                expected="the file that was there",
                hint="Start Loomis again.",
            )

    @property
    def module(self) -> str:
        """The name of its module in this process."""
        return f"custom_nodes.{self.name.replace('.', '_')}"

    @property
    def file(self) -> Path:
        """The file that is executed first."""
        return self.path / "__init__.py" if self.path.is_dir() else self.path


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield path.name, path
        return
    for place, inside, names in os.walk(path):
        inside[:] = [name for name in inside if name not in NOT_SOURCES and not name.startswith(".")]
        here = Path(place)
        for name in names:
            if not name.startswith(".") and not name.endswith(MADE) and (here / name).is_file():
                yield (here / name).relative_to(path).as_posix(), here / name


def _digest(path: Path) -> bytes:
    return blake3(path.read_bytes()).digest()


def _state(path: Path) -> bytes:
    """Return what changes when a file does that is no source."""
    found = path.stat()
    return f"{found.st_size} {found.st_mtime_ns}".encode() if found.st_size > LARGE else _digest(path)


def find_packs(folders: Iterable[Path]) -> list[Pack]:
    """Return the packs in some folders, by name. A folder that is a pack itself is one.

    What begins with a dot or an underscore, or ends in ``.disabled``, is left alone. Of two packs with one name, the
    first counts.

    Raises:
        SettingError: a folder is not there.
    """
    found: dict[str, Pack] = {}
    for folder in folders:
        if not folder.is_dir():
            raise SettingError(
                f"The folder of node packs {folder} is not there.",
                got=str(folder),
                expected="a folder that holds node packs",
                hint="Check --custom-nodes.",
            )
        folder = folder.absolute()
        inside = [folder] if (folder / "__init__.py").is_file() else sorted(folder.iterdir())
        for path in inside:
            if _is_pack(path):
                pack = Pack(path.stem if path.is_file() else path.name, path)
                found.setdefault(pack.name, pack)
    return list(found.values())


def _is_pack(path: Path) -> bool:
    if path.name.startswith((".", "_")) or path.name.lower().endswith(".disabled"):
        return False
    return (path / "__init__.py").is_file() or (path.suffix == ".py" and path.is_file())
