"""Folders of pictures as one batch: which there are, and how they come to one size."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from engine.errors import FileError, InputError
from nodes.pixels.files import read_image
from nodes.pixels.resize import centred, resize

CAPTION = ".txt"
"""How the file beside a picture ends that holds its caption."""

REPEATS = re.compile(r"([0-9]{1,4})_")
"""How the name of a folder begins that says how often its pictures count. A date has more digits."""


def pictures_below(folder: Path, suffixes: Iterable[str]) -> list[Path]:
    """Return the pictures of a folder, then those of the folders in it, by name.

    A folder whose name begins with a number and ``_`` counts so many times, as in kohya's tools.

    Raises:
        FileError: there is none.
    """
    found = list(_pictures(folder, frozenset(suffixes)))
    if not found:
        raise FileError(
            f"There are no pictures in {folder.name!r}.",
            input="folder",
            got=f"{len(list(folder.iterdir()))} other files and folders",
            expected=f"files that end in {', '.join(suffixes)}",
            hint=f"Put them into {folder}.",
        )
    return found


def _pictures(folder: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    inside = _shown(folder)
    yield from (path for path in inside if path.suffix.lower() in suffixes and path.is_file())
    for below in inside:
        if below.is_dir():
            own = [path for path in _shown(below) if path.suffix.lower() in suffixes and path.is_file()]
            times = REPEATS.match(below.name)
            yield from own * (int(times[1]) if times else 1)


def _shown(folder: Path) -> list[Path]:
    """Return what is in a folder, but for what systems and editors hide there, such as copies of pictures."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def caption(picture: Path) -> str | None:
    """Return the caption beside a picture; None where there is no file for it."""
    path = picture.with_suffix(CAPTION)
    return path.read_text("utf-8-sig", "replace").strip() if path.is_file() else None


def batch(paths: Iterable[Path], method: str, width: int = -1, height: int = -1) -> Tensor:
    """Return the first frame of each picture file (count, height, width, 3), 0 to 1.

    ``Stretch`` brings them to a size in pixels, ``Crop`` cuts what is beyond its proportions, ``Pad`` adds black to
    get there; a side below 1 is that of the first picture. ``None`` leaves them as they are.

    Raises:
        FileError: a file is no picture.
        InputError: they are left as they are, and of different sizes.
    """
    found: list[Tensor] = []
    for path in paths:
        picture = read_image(path)[0][:1].movedim(-1, 1)
        if method != "None":
            size = width if width > 0 else (found or [picture])[0].shape[3]
            picture = _fitted(picture, size, height if height > 0 else (found or [picture])[0].shape[2], method)
        elif found and found[0].shape != picture.shape:
            raise InputError(
                "The pictures are not of one size.",
                input="resize_method",
                got=f"{path.name} has {picture.shape[3]} x {picture.shape[2]} pixels",
                expected=f"{found[0].shape[3]} x {found[0].shape[2]} pixels, as the first one has",
                hint="Choose Crop, Pad or Stretch.",
            )
        found.append(picture)
    return torch.cat(found).movedim(1, -1).contiguous()


def _fitted(picture: Tensor, width: int, height: int, method: str) -> Tensor:
    if picture.shape[2:] == (height, width):
        return picture
    if method != "Pad":
        return resize(picture, width, height, "lanczos", "center" if method == "Crop" else "disabled")
    old_height, old_width = picture.shape[2:]
    scale = min(width / old_width, height / old_height)
    inner = max(1, round(old_width * scale)), max(1, round(old_height * scale))
    return centred(centred(resize(picture, *inner, "lanczos"), width, 3), height, 2)
