"""A contact sheet: the pictures of a batch in a table, with the values that made them."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from engine.errors import FileError, shortened
from engine.outputs import unwritable

SIDE = 256
"""The largest side of a picture on the sheet, in pixels."""

MARGIN = 8
TEXT = 14
LEFT = 160
"""The width of the column of labels."""

LETTERS, LINE = 20, TEXT + 4
"""Letters in a line of that column, and the height of a line."""

LARGEST = 60_000_000
"""Pixels of a sheet."""

INK, PAPER, MISSING = (30, 30, 30), (255, 255, 255), (235, 235, 235)


def draw_sheet(path: Path, lines: Sequence[Mapping[str, Any]], root: Path, columns: int | None) -> None:
    """Draw the first picture of each row. ``lines`` are those of the manifest, in order of rows.

    With ``columns`` the values that differ within a line of pictures stand above, the others at the left. Without, the
    pictures fill a square and each has its values below it.

    Raises:
        FileError: the sheet would be too large, or can't be written.
    """
    tiles = [_tile(line, root) for line in lines]
    side = max((max(tile.size) for tile in tiles if tile), default=SIDE)
    across = columns or math.ceil(math.sqrt(len(lines)))
    down = math.ceil(len(lines) / across)
    left, top, cell = (
        (LEFT, TEXT + 2 * MARGIN, side + MARGIN) if columns else (MARGIN, MARGIN, side + 3 * MARGIN + TEXT)
    )
    width, height = left + across * (side + MARGIN), top + down * cell
    if width * height > LARGEST:
        raise FileError(
            f"The sheet would have {width} x {height} pixels.",
            got=f"{len(lines)} pictures",
            expected=f"at most {LARGEST:,} pixels",
            hint="Make a sheet of fewer rows.",
        )
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    names = _differing(lines)
    for place, (line, tile) in enumerate(zip(lines, tiles, strict=True)):
        x, y = left + place % across * (side + MARGIN), top + place // across * cell
        if tile:
            sheet.paste(tile, (x, y))
        else:
            draw.rectangle((x, y, x + side, y + side), MISSING)
            _write(draw, x, y + side // 2, side, line.get("state", "not run"))
        if not columns:
            _write(draw, x, y + side + MARGIN // 2, side, _label(line, names))
    if columns:
        _heads(draw, lines, columns, (left, top, side, cell))
    _save(sheet, path)


def _tile(line: Mapping[str, Any], root: Path) -> Image.Image | None:
    picture = next((name for name in line.get("files", ()) if name.endswith(".png")), None)
    if picture is None or not (root / picture).is_file():
        return None
    with Image.open(root / picture, formats=("PNG",)) as image:
        small = image.convert("RGB")
    small.thumbnail((SIDE, SIDE))
    return small


def _heads(
    draw: ImageDraw.ImageDraw, lines: Sequence[Mapping[str, Any]], columns: int, at: tuple[int, int, int, int]
) -> None:
    """Write what differs from column to column above, and what differs from line to line at the left."""
    left, top, side, cell = at
    inner = _differing(lines[:columns])
    outer = [name for name in _differing(lines[::columns]) if name not in inner]
    for column, line in enumerate(lines[:columns]):
        _write(draw, left + column * (side + MARGIN), MARGIN, side, _label(line, inner))
    for row, line in enumerate(lines[::columns]):
        texts = [part for name in outer for part in textwrap.wrap(_label(line, [name]), LETTERS)]
        for place, text in enumerate(texts[: max(1, side // LINE)]):
            _write(draw, MARGIN, top + row * cell + place * LINE, LEFT - 2 * MARGIN, text)


def _differing(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names whose values are not the same in all rows."""
    names = dict.fromkeys(name for line in lines for name in line.get("values", ()))
    return [name for name in names if len({str(line.get("values", {}).get(name)) for line in lines}) > 1]


def _label(line: Mapping[str, Any], names: Sequence[str]) -> str:
    values = line.get("values", {})
    return ", ".join(f"{name} = {values[name]}" for name in names if name in values)


def _write(draw: ImageDraw.ImageDraw, x: int, y: int, width: int, text: str) -> None:
    """Write one line, cut to a width in pixels."""
    font = ImageFont.load_default(TEXT)
    limit = len(text)
    while limit > 8 and draw.textlength(shortened(text, limit), font) > width:
        limit -= 1
    draw.text((x, y), shortened(text, limit), INK, font)


def _save(sheet: Image.Image, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(path)
    except OSError as error:
        raise unwritable(path.parent, error) from error
    except ValueError:
        raise FileError(
            f"{path.name} has no suffix that says how to write it.",
            got=path.name,
            expected="a name such as sheet.png",
            hint="Give the sheet a name that ends in .png or .jpg.",
        ) from None
