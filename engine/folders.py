"""Where models, inputs and outputs lie, and what is in there.

Model folders are laid out as people have them: ``checkpoints/ loras/ vae/ ...`` under one or several roots. A name in
a workflow is a path below its folder with either slash.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from engine.errors import FileError, shortened

SUFFIXES = frozenset({".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin"})
KINDS = (
    "checkpoints", "loras", "vae", "text_encoders", "diffusion_models", "clip_vision", "style_models", "embeddings",
    "diffusers", "controlnet", "gligen", "upscale_models", "hypernetworks", "photomaker", "vae_approx",
)  # fmt: skip
SAME = {"unet": "diffusion_models", "clip": "text_encoders", "t2i_adapter": "controlnet"}
"""Folders that are one under two names."""
LONGEST_NAME, LONGEST_PART = 1000, 255
"""What common file systems allow: characters of a path less room for its root, bytes of one part."""

DRIVE = re.compile("[A-Za-z]:")
LONGEST_PART = 255
"""Bytes of a part of a path that file systems allow."""

LONGEST_PREFIX = 180
"""Bytes of a part of a file name prefix: number, suffix and the mark of an unfinished file follow."""

LONGEST_NAME = 1024


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

    def inputs(self, suffixes: Iterable[str]) -> list[str]:
        """Return the names of the files in the input folder."""
        return sorted(_files_below(self.input, frozenset(suffixes)))

    def input_file(self, name: str) -> Path | None:
        """Return the file that ``name``, ``name [input]``, ``name [output]`` or ``name [temp]`` means, or None."""
        root = self.input
        for mark, folder in (("input", self.input), ("output", self.output), ("temp", self.temp)):
            if name.endswith(f" [{mark}]"):
                name, root = name[: -len(mark) - 3], folder
        path = root / confined(name)
        return path if path.is_file() else None

    def destination(self, folder: str) -> Path:
        """Return the folder that ``output`` or ``temp`` stands for."""
        return self.temp if folder == "temp" else self.output


def confined(name: str, longest: int = LONGEST_PART) -> Path:
    """Return a name with either slash as a relative path, of parts that have at most ``longest`` bytes.

    Raises:
        FileError: it is absolute, empty, too long or leads out of its folder.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if len(name) > LONGEST_NAME or any(len(part.encode("utf-8", "replace")) > LONGEST_PART for part in path.parts):
        raise FileError(
            "The name is too long for a file.",
            got=shortened(name),
            expected=f"at most {LONGEST_NAME} characters, {LONGEST_PART} bytes between slashes",
            hint="Use a shorter name.",
        )
    if not path.parts or path.is_absolute() or ".." in path.parts or DRIVE.match(path.parts[0]) or "\0" in name:
        raise FileError(
            f"{shortened(name, 80)!r} leaves its folder.",
            got=name,
            expected="a path below the folder",
            hint="Write it without a drive, a leading slash and '..'.",
        )
    if len(name) > LONGEST_NAME or any(len(part.encode("utf-8", "replace")) > longest for part in path.parts):
        raise FileError(
            f"{shortened(name, 60)!r} is too long for a file name.",
            got=f"{len(name)} characters",
            expected=f"at most {longest} bytes in each part and {LONGEST_NAME} characters in all",
            hint="Shorten it.",
        )
    return Path(path)


def _files_below(root: Path, suffixes: frozenset[str]) -> list[str]:
    found = []
    for folder, inside, files in os.walk(root, followlinks=True):
        here = Path(folder).resolve()
        inside[:] = [name for name in inside if not here.is_relative_to((here / name).resolve())]  # links in circles
        below = Path(folder).relative_to(root)
        found += [(below / file).as_posix() for file in files if Path(file).suffix.lower() in suffixes]
    return found
