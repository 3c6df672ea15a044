"""Pictures that rows name: those outside the input folder are copied into it, as an upload does, or refused."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from blake3 import blake3

from engine.errors import FileError
from engine.folders import Folders

FOLDER = "batch"
MARKS = frozenset("*?[")
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"})


@dataclass(frozen=True, slots=True)
class Pictures:
    """``base`` is where relative paths start that are not in the input folder."""

    folders: Folders
    base: Path
    _known: dict[str, str] = field(default_factory=dict)

    def spread(self, value: str) -> list[str]:
        """Return the pictures that a pattern such as ``photos/*.png`` means, sorted; a plain name as it is.

        Raises:
            FileError: there are none.
        """
        if MARKS.isdisjoint(value):
            return [value]
        pattern = Path(value)
        anchor = Path(pattern.anchor) if pattern.is_absolute() else self.base
        inside = pattern.relative_to(pattern.anchor) if pattern.is_absolute() else pattern
        found = sorted(str(path) for path in anchor.glob(str(inside)) if path.is_file())
        return _some(found, value)

    def waits(self, value: str) -> bool:
        """Whether `name` would read a picture and copy it."""
        path = None if value in self._known else self._path(value)
        return path is not None and not self._is_inside(path)

    def name(self, value: str) -> str:
        """Return the name below the input folder of a picture; one that lies elsewhere is copied there first.

        What is no file stays as it is: the workflow says what is wrong with it.

        Raises:
            FileError: it can't be copied.
        """
        if value in self._known:
            return self._known[value]
        path = self._path(value)
        if path is None:
            return value
        if self._is_inside(path):
            name = path.resolve().relative_to(self.folders.input.resolve()).as_posix()
        else:
            name = self._copied(path)
        self._known[value] = name
        return name

    def _path(self, value: str) -> Path | None:
        """Return the file that is meant, if there is one."""
        path = Path(value).expanduser()
        path = path if path.is_absolute() else self.base / path
        return path if path.is_absolute() and path.is_file() else None

    def _is_inside(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self.folders.input.resolve())

    def _copied(self, path: Path) -> str:
        try:
            digest = blake3(path.read_bytes()).hexdigest(8)
            target = self.folders.input / FOLDER / f"{path.stem}-{digest}{path.suffix}"
            if not target.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                part = target.with_name(f".{target.name}.part")
                shutil.copyfile(path, part)
                part.replace(target)
        except OSError as error:
            raise FileError(
                f"{path} can't be copied into the input folder: {error.strerror}.",
                got=str(path),
                expected="a picture that can be read, and an input folder that can be written",
                hint="Copy it into the input folder yourself.",
            ) from error
        return f"{FOLDER}/{target.name}"


@dataclass(frozen=True, slots=True)
class Uploaded:
    """Pictures of a client of a server: those in the input folder and no others."""

    folders: Folders

    def spread(self, value: str) -> list[str]:
        """Return the names in the input folder that a pattern such as ``photos/*.png`` means, sorted.

        Raises:
            FileError: there are none.
        """
        if MARKS.isdisjoint(value):
            return [value]
        return _some((name for name in self.folders.inputs(PICTURES) if fnmatchcase(name, value)), value)

    def waits(self, value: str) -> bool:
        """Whether a picture is still to be copied: none is."""
        return False

    def name(self, value: str) -> str:
        """Return the name as it is: the node that loads it looks into the input folder only."""
        return value


def _some(names: Iterable[str], pattern: str) -> list[str]:
    found = list(names)
    if not found:
        raise FileError(f"{pattern} names no files.", got=pattern, expected="pictures", hint="Check the pattern.")
    return found
