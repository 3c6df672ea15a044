"""A dataset is a folder of pictures with captions.

Captions are in ``captions.jsonl``, one object a line: ``file`` (relative to the folder), ``caption`` or ``captions``
(one of them is drawn each time) and maybe ``weight`` (how often it is drawn, 1 when left out). Without that file every
picture has a text file of the same name beside it, each of whose lines is a caption.

A picture with transparent parts is laid over a background whose colour is drawn, and its caption names that colour.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from blake3 import blake3
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from torch import Tensor

from engine.errors import FileError

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "white": (250, 250, 250),
    "black": (24, 24, 28),
    "gray": (150, 152, 158),
    "red": (214, 62, 62),
    "blue": (58, 104, 214),
    "light blue": (176, 214, 245),
    "green": (78, 176, 96),
    "yellow": (250, 214, 92),
    "pink": (250, 190, 208),
    "purple": (150, 108, 214),
    "orange": (250, 158, 74),
    "teal": (64, 176, 176),
    "beige": (238, 222, 196),
    "brown": (128, 88, 60),
}
"""Backgrounds by the name that a caption gives them, as 8-bit RGB."""

PHRASES = ("{caption}, {colour} background", "{caption} on {colour}", "{caption} on {article} {colour} background")
SUFFIXES = (".png", ".webp", ".jpg", ".jpeg")
CAPTIONS = "captions.jsonl"


class Line(BaseModel):
    """A line of ``captions.jsonl``."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    file: str
    captions: Annotated[tuple[str, ...], Field(min_length=1)]
    weight: Annotated[int, Field(ge=1, le=1000)] = 1

    @model_validator(mode="before")
    @classmethod
    def _one_caption(cls, line: Any) -> Any:
        return {**line, "captions": (line["caption"],)} if isinstance(line, dict) and "caption" in line else line


@dataclass(frozen=True, slots=True)
class View:
    """A picture as it is shown: over a background of that name, None where it has no transparent parts."""

    picture: int
    colour: str | None


@dataclass(frozen=True, slots=True)
class Drawn:
    """One example of a batch: the number of a view, whether it is mirrored, and its caption."""

    view: int
    mirrored: bool
    caption: str


@dataclass(frozen=True)
class Dataset:
    """Pictures in memory: ``pixels`` uint8 (pictures, 4, size, size), colours multiplied by alpha."""

    pixels: Tensor
    captions: tuple[tuple[str, ...], ...]
    weights: tuple[int, ...]

    @property
    def size(self) -> int:
        return self.pixels.shape[-1]

    @cached_property
    def views(self) -> tuple[View, ...]:
        """Every picture over every background that it can have, pictures in order."""
        opaque = (self.pixels[:, 3].flatten(1) == 255).all(1).tolist()
        return tuple(View(i, name) for i, whole in enumerate(opaque) for name in ([None] if whole else COLOURS))

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        """The first view of each picture, and how many it has."""
        counts = np.bincount([view.picture for view in self.views], minlength=len(self.captions))
        return list(zip((np.cumsum(counts) - counts).tolist(), counts.tolist(), strict=True))

    @cached_property
    def digest(self) -> str:
        """A digest of the pixels."""
        return blake3(self.pixels.cpu().numpy().tobytes()).hexdigest()

    def draw(self, seed: int, step: int, count: int) -> list[Drawn]:
        """Return the examples of a step. The same seed and step give the same examples."""
        rng = np.random.default_rng((seed, step))
        chances = np.array(self.weights) / sum(self.weights)
        return [self._drawn(picture, rng) for picture in rng.choice(len(chances), count, p=chances).tolist()]

    def _drawn(self, picture: int, rng: np.random.Generator) -> Drawn:
        first, count = self._spans[picture]
        view = first + int(rng.integers(count))
        caption = str(rng.choice(self.captions[picture]))
        colour, phrase = self.views[view].colour, PHRASES[rng.integers(len(PHRASES))]
        return Drawn(view, bool(rng.random() < 0.5), on_background(caption, colour, phrase) if colour else caption)

    def pictures(self, views: Sequence[int], mirrored: Sequence[bool] = ()) -> Tensor:
        """Return views as float32 (batch, 3, size, size) in -1 to 1, on the device of ``pixels``."""
        shown = [self.views[view] for view in views]
        device = self.pixels.device
        premultiplied = self.pixels[torch.tensor([view.picture for view in shown], device=device)].float() / 255
        colours = torch.tensor([COLOURS[view.colour or "white"] for view in shown], device=device) / 255
        rgb = premultiplied[:, :3] + (1 - premultiplied[:, 3:]) * colours[:, :, None, None]
        if any(mirrored):
            flags = torch.tensor(list(mirrored), device=device)[:, None, None, None]
            rgb = torch.where(flags, rgb.flip(-1), rgb)
        return rgb.clamp(0, 1) * 2 - 1


def on_background(caption: str, colour: str, phrase: str = PHRASES[0]) -> str:
    """Return a caption that names its background."""
    article = "an" if colour[0] in "aeiou" else "a"
    return phrase.format(caption=caption.rstrip(" .,"), colour=colour, article=article)


def open_dataset(folder: Path, size: int) -> Dataset:
    """Read a dataset into memory, each picture cut to a square from its middle and scaled to ``size`` pixels.

    Raises FileError where the folder holds no pictures, a caption is missing, or a file is not what it should be.
    """
    lines = list(_lines(folder)) if (folder / CAPTIONS).is_file() else list(_beside(folder))
    if not lines:
        raise FileError(
            f"There are no pictures in {folder}.",
            got=str(folder),
            expected=f"pictures ({', '.join(SUFFIXES)}) with captions in {CAPTIONS} or text files beside them",
        )
    pixels = np.stack([_square(_inside(folder, line.file), size) for line in lines])
    return Dataset(
        torch.from_numpy(pixels), tuple(line.captions for line in lines), tuple(line.weight for line in lines)
    )


def _lines(folder: Path) -> Iterator[Line]:
    for number, text in enumerate((folder / CAPTIONS).read_text("utf-8").splitlines(), 1):
        try:
            if text.strip():
                yield Line.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            raise FileError(
                f"Line {number} of {CAPTIONS} is wrong: {first['msg']}",
                got=text[:100],
                expected='a line such as {"file": "1.png", "caption": "a fox"}',
            ) from None


def _beside(folder: Path) -> Iterator[Line]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in SUFFIXES:
            continue
        text = path.with_suffix(".txt")
        captions = [line.strip() for line in text.read_text("utf-8").splitlines()] if text.is_file() else []
        if not any(captions):
            raise FileError(
                f"{path.name} has no caption.",
                got=str(path),
                expected=f"{text.name} beside it, or a line in {CAPTIONS}",
            )
        yield Line(file=path.relative_to(folder).as_posix(), captions=tuple(filter(None, captions)))


def _inside(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise FileError("A caption names a file outside its folder.", got=name, expected=f"a file in {folder}")
    return path


def _square(path: Path, size: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return a picture as (4, size, size), colours multiplied by alpha."""
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGBA").convert("RGBa")
    except (OSError, Image.DecompressionBombError) as error:
        raise FileError(f"{path.name} is not a picture that can be read.", got=str(error)) from error
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    scaled = image.resize((size, size), Image.Resampling.LANCZOS, box=box)
    return np.ascontiguousarray(np.asarray(scaled).transpose(2, 0, 1))
