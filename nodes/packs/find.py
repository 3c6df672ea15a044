"""Find node packs: folders with an ``__init__.py``, and single Python files, below the folders that are named."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from blake3 import blake3

from engine.errors import SettingError

NOT_SOURCES = frozenset({"__pycache__", "node_modules", "site-packages"})


@dataclass(frozen=True)
class Pack:
    """A pack of nodes for ComfyUI: its name and where it lies, a folder or a file."""

    name: str
    path: Path

    @cached_property
    def digest(self) -> str:
        """What tells its sources: 16 hex digits of blake3 of the names and contents of its Python files."""
        hasher = blake3()
        for name, path in sorted(_sources(self.path)):
            content = path.read_bytes()
            hasher.update(f"{name}\0{len(content)}\0".encode("utf-8", "surrogateescape"))
            hasher.update(content)
        return hasher.hexdigest(8)

    @property
    def module(self) -> str:
        """The name of its module in this process."""
        return f"custom_nodes.{self.name.replace('.', '_')}"

    @property
    def file(self) -> Path:
        """The file that is executed first."""
        return self.path / "__init__.py" if self.path.is_dir() else self.path


def _sources(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield path.name, path
        return
    for place, inside, names in os.walk(path):
        inside[:] = [name for name in inside if name not in NOT_SOURCES and not name.startswith(".")]
        here = Path(place)
        for name in names:
            if name.endswith(".py"):
                yield (here / name).relative_to(path).as_posix(), here / name


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
