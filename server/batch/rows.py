"""Rows of values: from CSV, JSON lines, or a folder of pictures."""

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import FileError, InputError, LoomisError
from engine.spelling import meant
from server.batch.pictures import PICTURES
from server.workflow import parse_value

LONGEST_CELL = 2**24


@dataclass(frozen=True, slots=True)
class Row:
    """Values by name. ``origin`` says where they stand, ``fault`` why they can't be used."""

    values: Mapping[str, Any]
    origin: str = ""
    fault: LoomisError | None = None


def read_rows(source: str, picture: str | None) -> list[Row]:
    """Return the rows of a file, of standard input (``-``: JSON lines), or one for each picture of a folder.

    ``picture`` is the name that a picture of a folder gets. A line that can't be used is a row with a fault.

    Raises:
        FileError: the source can't be read, or holds no rows.
        InputError: a folder is given and no picture is wanted, or several are.
    """
    path = Path(source)
    if source == "-":
        rows = list(_json_rows(sys.stdin, "standard input"))
    elif path.is_dir():
        rows = list(_picture_rows(path, picture))
    else:
        text = _text(path)
        rows = list(_csv_rows(text, path.name) if path.suffix.lower() == ".csv" else _json_rows(text, path.name))
    if not rows:
        raise FileError(f"{source} has no rows.", got=source, expected="at least one", hint="Check the file.")
    return rows


def _text(path: Path) -> io.StringIO:
    try:
        return io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(
            f"The rows in {path} can't be read: {getattr(error, 'strerror', None) or error}.",
            got=str(path),
            expected="a CSV file, JSON lines, or a folder of pictures",
            hint=meant(path),
        ) from None


def _csv_rows(text: io.StringIO, name: str) -> Iterator[Row]:
    """Yield rows by the names in the first line. An empty cell gives no value."""
    csv.field_size_limit(LONGEST_CELL)
    lines = csv.reader(text, skipinitialspace=True)
    heads = [head.strip() for head in next(lines, [])]
    while True:
        try:
            cells = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row({}, f"line {lines.line_num} of {name}", InputError(f"The line is no CSV: {error}."))
            continue
        origin = f"line {lines.line_num} of {name}"
        if not any(cells):
            continue
        if len(cells) != len(heads):
            fault = InputError(
                f"The line has {len(cells)} values.", got=cells, expected=f"{len(heads)}: {', '.join(heads)}",
                hint="Put a value with a comma in it between quotes.",
            )  # fmt: skip
            yield Row({}, origin, fault)
            continue
        yield Row({head: parse_value(cell) for head, cell in zip(heads, cells, strict=True) if cell}, origin)


def _json_rows(lines: Any, name: str) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        origin = f"line {number} of {name}"
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Row({}, origin, InputError(f"The line is no JSON: {error}.", got=line, expected='{"seed": 7, ...}'))
            continue
        if isinstance(values, dict):
            yield Row(values, origin)
        else:
            yield Row({}, origin, InputError("The line is no object.", got=values, expected='{"seed": 7, ...}'))


def _picture_rows(folder: Path, picture: str | None) -> Iterator[Row]:
    if picture is None:
        raise InputError(
            f"The workflow has no single input that the pictures of {folder} could go to.",
            got=str(folder),
            expected="one node that loads a picture",
            hint="Name the input with an axis: --grid image='folder/*.png'.",
        )
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in PICTURES and path.is_file():
            yield Row({picture: str(path)}, path.name)
