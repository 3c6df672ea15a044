"""What is in a folder that clients may see."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.errors import FileError
from engine.folders import inside


@dataclass(frozen=True, slots=True)
class Listed:
    """A file: its path below the folder with forward slashes, bytes, and when it was changed (Unix seconds)."""

    name: str
    size: int
    modified: float


def newest(root: Path, below: str = "") -> list[Listed]:
    """Return the files in a folder and below it, newest first. Hidden ones and links out are left out.

    Raises:
        FileError: ``below`` leads out of the folder.
    """
    start = inside(root, below) if below else root
    return sorted(_files(root, start), key=lambda file: (-file.modified, file.name))


def _files(root: Path, start: Path) -> Iterator[Listed]:
    for folder, inner, names in os.walk(start):
        inner[:] = [name for name in inner if not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            relative = path.relative_to(root).as_posix()
            try:
                stat = inside(root, relative).stat()
            except (FileError, OSError):
                continue
            yield Listed(relative, stat.st_size, stat.st_mtime)
