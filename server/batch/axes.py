"""Axes: a name and the values that it takes, as ``seed=1..100`` or ``sampler=euler,dpmpp_2m``."""

import csv
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

from engine.errors import FileError, SettingError
from engine.spelling import meant
from server.batch.rows import Row
from server.workflow import parse_value

NUMBER = r"-?\d+(?:\.\d+)?"
RANGE = re.compile(rf"({NUMBER})\.\.({NUMBER})(?:\.\.({NUMBER}))?")
MAX_ROWS = 1_000_000
MAX_VALUES = 20_000_000
"""Values of all rows of a batch together: they are in memory."""

UNCOUNTED = 10**18
FORMS = "NAME=1,2,3, NAME=1..100, NAME=0..1..0.25, NAME=[JSON list], NAME=@FILE with a value a line, or NAME=*.png"


@dataclass(frozen=True, slots=True)
class Axis:
    """A name and its values, in order."""

    name: str
    values: Sequence[Any]


def parse_axis(text: str) -> Axis:
    """Return what ``NAME=VALUES`` means. A text with ``*`` or ``?`` stays as it is: it may name pictures.

    Raises:
        SettingError: it has another form.
        FileError: the file of values can't be read.
    """
    name, equals, listed = text.partition("=")
    if not equals or not name or not listed:
        raise SettingError(
            f"{text!r} is no axis.", got=text, expected=FORMS, hint="Write it like seed=1..100 or sampler=euler,heun."
        )
    return Axis(name, _lines(Path(listed[1:])) if listed.startswith("@") else axis_values(name, listed))


def axis_values(name: str, text: str) -> Sequence[Any]:
    """Return the values that ``1,2,3``, ``1..100`` or a JSON list mean. No file is read.

    Raises:
        SettingError: it has another form.
    """
    if found := RANGE.fullmatch(text):
        return _range(name, *found.groups())
    if text.startswith("["):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SettingError(
                f"The axis {name} is no JSON list: {error}.", got=text, expected=FORMS, hint="Correct it."
            ) from None
        return value if isinstance(value, list) else [value]
    try:
        return [parse_value(cell) for line in csv.reader([text], skipinitialspace=True) for cell in line]
    except csv.Error as error:
        raise SettingError(
            f"The values of {name} are no list: {error}.", got=text, expected=FORMS, hint="Write them as a JSON list."
        ) from None


def _range(name: str, first: str, last: str, step: str | None) -> Sequence[Any]:
    """Return whole numbers as a range, others exactly as they would be written."""
    start, end = Decimal(first), Decimal(last)
    width = abs(Decimal(step)) if step else Decimal(1)
    if width == 0:
        raise SettingError(f"The axis {name} has steps of 0.", got=step, expected="another step", hint="Correct it.")
    count = math.floor(min(abs(end - start) / width, Decimal(UNCOUNTED))) + 1
    check_size(count, 1)
    if "." not in first + last + (step or ""):
        way = int(width) if end >= start else -int(width)
        return range(int(start), int(end) + (1 if way > 0 else -1), way)
    return [float(start + index * (width if end >= start else -width)) for index in range(count)]


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(
            f"The values in {path} can't be read: {getattr(error, 'strerror', None) or error}.",
            got=str(path),
            expected="a UTF-8 text file with a value a line",
            hint=meant(path),
        ) from None


def combine(rows: Sequence[Row], zipped: Sequence[Axis], grid: Sequence[Axis]) -> Iterator[Row]:
    """Yield every combination: rows outermost, then the zipped axes, which move together, then the grid.

    The last axis of the grid moves fastest.

    Raises:
        SettingError: two of them have one name, one has no values, zipped axes differ in length, or there are too many
            combinations or values in them.
    """
    empty = next((axis.name for axis in (*zipped, *grid) if not len(axis.values)), None)
    if empty:
        raise SettingError(f"The axis {empty} has no values.", got=empty, expected=FORMS, hint="Give it values.")
    names = [*dict.fromkeys(name for row in rows for name in row.values), *(axis.name for axis in (*zipped, *grid))]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice:
        raise SettingError(f"{twice} has values twice.", got=twice, expected="one source of values", hint="Drop one.")
    lengths = {axis.name: len(axis.values) for axis in zipped}
    if len(set(lengths.values())) > 1:
        raise SettingError(
            "Zipped axes move together and differ in length.",
            got=", ".join(f"{count} of {name}" for name, count in lengths.items()),
            expected="as many values in each",
            hint="Give them as many values, or use --grid for every combination.",
        )
    steps = next(iter(lengths.values()), 1)
    count = len(rows) * steps * math.prod(len(axis.values) for axis in grid)
    check_size(count, len(names))
    for row, step, cells in product(rows, range(steps), product(*(axis.values for axis in grid))):
        together = {axis.name: axis.values[step] for axis in zipped}
        cell = {axis.name: value for axis, value in zip(grid, cells, strict=True)}
        yield replace(row, values={**row.values, **together, **cell})


def check_size(rows: int, values: int) -> None:
    """See that a batch of ``rows`` rows with ``values`` values each is not too large.

    Raises:
        SettingError: it is.
    """
    for count, most, what in ((rows, MAX_ROWS, "rows"), (rows * values, MAX_VALUES, "values")):
        if count > most:
            told = f"{count:,}" if count < UNCOUNTED else f"more than {UNCOUNTED:,}"
            raise SettingError(
                f"That is {told} {what}.", got=told, expected=f"at most {most:,}", hint="Split it into several batches."
            )
