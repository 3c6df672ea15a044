"""Where models, inputs and outputs lie, and what is in there.

Model folders are laid out as people have them: ``checkpoints/ loras/ vae/ ...`` under one or several roots. A name in
a workflow is a path below its folder with either slash.
"""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from engine.errors import FileError, shortened

SUFFIXES = frozenset({".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin"})
INDEX = "model_index.json"
"""What a folder holds that has a model in parts, as diffusers saves it."""

KINDS = (
    "checkpoints", "loras", "vae", "text_encoders", "diffusion_models", "clip_vision", "style_models", "embeddings",
    "diffusers", "controlnet", "gligen", "upscale_models", "hypernetworks", "photomaker", "vae_approx",
)  # fmt: skip
SAME = {"unet": "diffusion_models", "clip": "text_encoders", "t2i_adapter": "controlnet"}
"""Folders that are one under two names."""
LONGEST_NAME, LONGEST_PART = 1000, 255
"""What common file systems allow: characters of a path less room for its root, bytes of one part."""

LONGEST_PREFIX = 180
"""Bytes of one part of a file name prefix: number, suffix and the mark of an unfinished file follow."""

Place = Literal["input", "output", "temp"]
PLACES: tuple[Place, ...] = ("input", "output", "temp")

DRIVE = re.compile("[A-Za-z]:")
DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE)
"""Names that mean a device on Windows, with any suffix."""

NOT_EVERYWHERE = re.compile(r'[<>:"|?*]|[. ]$')
"""What a name of a new file may not have: Windows can't keep it."""


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders that every command shares.

    ``models`` are roots in order of precedence. ``extra`` adds folders per kind, as ``extra_model_paths.yaml`` does.
    """

    models: tuple[Path, ...] = ()
    input: Path = Path("input")
    output: Path = Path("output")
    temp: Path = Path("temp")
    extra: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)

    def roots(self, kind: str) -> list[Path]:
        """Return the folders that hold files of a kind, in order of precedence."""
        kind = SAME.get(kind, kind)
        names = [kind, *(alias for alias, name in SAME.items() if name == kind)]
        extra = [path for name in names for path in self.extra.get(name, ())]
        return [*extra, *(root / name for root in self.models for name in names)]

    def names(self, kind: str) -> list[str]:
        """Return the names of the model files of a kind, sorted, with forward slashes."""
        return sorted({name for root in self.roots(kind) for name in _files_below(root, SUFFIXES)})

    def model(self, kind: str, name: str) -> Path | None:
        """Return the model file that a workflow means by ``name``, or None when there is none."""
        relative = confined(name)
        for root in self.roots(kind):
            path = root / relative
            if path.suffix.lower() in SUFFIXES and path.is_file():
                return path
        return None

    def named(self, kind: str, name: str) -> str | None:
        """Return the name with its suffix of a model file that is called ``name``, less commas behind it, or None."""
        while name:
            for candidate in (name, *(name + suffix for suffix in sorted(SUFFIXES))):
                if self.model(kind, candidate) is not None:
                    return candidate
            name = name[:-1] if name.endswith(",") else ""
        return None

    def model_folders(self, kind: str) -> list[str]:
        """Return the names of the folders of a kind that hold a model in parts, sorted."""
        found = {below for root in self.roots(kind) for below, files in _walk(root) if INDEX in files and below.parts}
        return sorted(below.as_posix() for below in found)

    def model_folder(self, kind: str, name: str) -> Path | None:
        """Return the folder with a model in parts that a workflow means by ``name``, or None when there is none."""
        relative = confined(name)
        return next((root / relative for root in self.roots(kind) if (root / relative / INDEX).is_file()), None)

    def inputs(self, suffixes: Iterable[str]) -> list[str]:
        """Return the names of the files in the input folder."""
        return files_inside(self.input, suffixes)

    def input_file(self, name: str) -> Path | None:
        """Return the file that ``name``, ``name [input]``, ``name [output]`` or ``name [temp]`` means, or None."""
        path = self._input(name)
        return path if path.is_file() else None

    def input_folders(self) -> list[str]:
        """Return the names of the folders below the input folder."""
        found = (below for below, _ in _walk(self.input) if not any(part.startswith(".") for part in below.parts))
        return sorted(below.as_posix() for below in found if below.parts)

    def input_folder(self, name: str) -> Path | None:
        """Return the folder that ``name`` means, with the marks that ``input_file`` knows, or None."""
        path = self._input(name)
        return path if path.is_dir() else None

    def _input(self, name: str) -> Path:
        root = self.input
        for mark in PLACES:
            if name.endswith(f" [{mark}]"):
                name, root = name[: -len(mark) - 3], self.place(mark)
        return root / confined(name)

    def place(self, name: Place) -> Path:
        """Return the folder that ``input``, ``output`` or ``temp`` stands for."""
        return {"input": self.input, "output": self.output, "temp": self.temp}[name]


def confined(name: str, longest: int = LONGEST_PART) -> Path:
    """Return a name with either slash as a relative path, of parts that have at most ``longest`` bytes.

    Raises:
        FileError: it is absolute, empty, too long or leads out of its folder.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if len(name) > LONGEST_NAME or any(len(part.encode("utf-8", "replace")) > longest for part in path.parts):
        raise FileError(
            "The name is too long for a file.",
            got=shortened(name),
            expected=f"at most {LONGEST_NAME} characters, {longest} bytes between slashes",
            hint="Use a shorter name.",
        )
    if not path.parts or path.is_absolute() or ".." in path.parts or DRIVE.match(path.parts[0]) or "\0" in name:
        raise FileError(
            f"{name!r} leaves its folder.",
            got=name,
            expected="a path below the folder",
            hint="Write it without a drive, a leading slash and '..'.",
        )
    return Path(path)


def files_below(folders: Iterable[str], name: object) -> list[Path]:
    """Return the files below some folders that ``name`` means: a path with the suffix of models, or without."""
    try:
        relative = confined(str(name), LONGEST_PART - max(map(len, SUFFIXES)))
    except FileError:
        return []
    paths = [Path(folder, relative) for folder in folders]
    whole = [path.with_name(path.name + suffix) for path in paths for suffix in ("", *sorted(SUFFIXES))]
    return [path for path in whole if path.is_file()]


def inside(root: Path, name: str, *, new: bool = False, hidden: bool = False) -> Path:
    """Return the path below ``root`` that somebody who may see only ``root`` means. It need not be there.

    Beside what `confined` refuses, no part is hidden, a device or has control characters, and no link leads out.
    A ``new`` file has a name that every system can keep. ``hidden`` allows hidden parts.

    Raises:
        FileError: the name is none of these.
    """
    path = root / _allowed(name, new, hidden)
    _check_links(root, path, name)
    return path


def check_new(root: Path, names: Iterable[str]) -> None:
    """See that new files of these names would lie below ``root``: each as `inside` does, but each folder once.

    Raises:
        FileError: one would not.
    """
    folders: set[Path] = set()
    may_have_links = root.exists()
    for name in names:
        relative = _allowed(name, True, False)
        if relative.parent not in folders or (may_have_links and (root / relative).is_symlink()):
            _check_links(root, root / relative, name)
            folders.add(relative.parent)


def _allowed(name: str, new: bool, hidden: bool) -> Path:
    relative = confined(name, LONGEST_PREFIX if new else LONGEST_PART)
    for part in relative.parts:
        is_hidden = part.startswith(".") and not hidden
        if is_hidden or DEVICE.fullmatch(part.rstrip(" .")) or (new and NOT_EVERYWHERE.search(part)):
            raise _not_allowed(part)
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in part):
            raise _not_allowed(part)
    return relative


def _check_links(root: Path, path: Path, name: str) -> None:
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
        raise FileError(
            f"{name!r} leaves its folder.",
            got=name,
            expected="a path without a link that leads out",
            hint="Copy the file into the folder.",
        )


def _not_allowed(part: str) -> FileError:
    return FileError(
        f"{part!r} can't be the name of a file here.",
        got=part,
        expected="a name without a leading dot or special characters",
        hint="Use another name.",
    )


def files_inside(root: Path, suffixes: Iterable[str]) -> list[str]:
    """Return the files below a folder with these suffixes, sorted, as paths with forward slashes."""
    return sorted(_files_below(root, frozenset(suffixes)))


def _files_below(root: Path, suffixes: frozenset[str]) -> list[str]:
    return [
        (below / file).as_posix()
        for below, files in _walk(root)
        for file in files
        if Path(file).suffix.lower() in suffixes
    ]


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield every folder below one, as a path from there, with the names of its files."""
    for folder, inside, files in os.walk(root, followlinks=True):
        here = Path(folder).resolve()
        inside[:] = [name for name in inside if not here.is_relative_to((here / name).resolve())]  # links in circles
        yield Path(folder).relative_to(root), files
