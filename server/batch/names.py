"""Where the files of a row go: a pattern such as ``dir/{row}-{seed}.png``."""

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from string import Formatter
from typing import Any

from engine.errors import SettingError
from engine.folders import LONGEST_NAME
from engine.spelling import nearest

UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')
LONGEST_VALUE = 80
"""Characters of a value in a name, and the largest width that a format may give it."""

NUMBER = "row"
WHOLE = "{row}"
"""The pattern of a folder that is named without one."""


@dataclass(frozen=True, slots=True)
class Names:
    """A folder, and a pattern of names below it. Fields are ``row`` and the names of values.

    ``base`` is the folder at which paths start that are told: that of the output where a server runs the batch.
    """

    root: Path
    pattern: str
    base: Path = Path()

    @classmethod
    def parse(cls, text: str) -> "Names":
        """Take a pattern apart: the folders before the first field are the root. Without a field, all of it is.

        Raises:
            SettingError: a brace is not closed, or a field is more than a name and a format of a usual width.
        """
        whole = Path(text)
        first = next((place for place, part in enumerate(whole.parts) if "{" in part), None)
        if first is None:
            return cls(whole, WHOLE)
        names = cls(Path(*whole.parts[:first]), Path(*whole.parts[first:]).as_posix())
        if ".." in names.pattern.split("/"):
            raise SettingError(
                "--out leaves its folder after a field.", got=text, expected="a path without ..", hint="Take it out."
            )
        names.fields()
        return names

    def advice(self) -> str:
        """Say what ``--out`` may be for a batch that can't have this one: the same below a folder that is not there."""
        folder = self.root.relative_to(self.base) if self.root.is_relative_to(self.base) else self.root
        beside = (folder.parent / f"{folder.name or 'batch'}-{number}" for number in count(2))
        free = next(each for each in beside if not (self.base / each).exists())
        out = (free if self.pattern == WHOLE else free / self.pattern).as_posix()
        return f"For a new batch choose a folder that is free, such as --out {shlex.quote(out)}"

    def fields(self) -> list[str]:
        """Return the names in the pattern."""
        try:
            parts = [(part, form) for _, part, form, _ in Formatter().parse(self.pattern) if part is not None]
        except ValueError as error:
            raise self._wrong(str(error)) from None
        for part, form in parts:
            if not part or any(mark in part + (form or "") for mark in "[]{}"):
                raise self._wrong(f"{{{part}}} is no field")
            if any(len(width) > 4 or int(width) > LONGEST_VALUE for width in re.findall(r"\d+", form or "")):
                raise self._wrong(f"{{{part}}} would be wider than {LONGEST_VALUE} characters")
        return [part for part, _ in parts]

    def check(self, known: Collection[str]) -> None:
        """See that every field has a value.

        Raises:
            SettingError: one has none.
        """
        for name in self.fields():
            if name != NUMBER and name not in known:
                choices = [NUMBER, *known]
                raise SettingError(
                    f"--out names {{{name}}}, and no column or axis has that name.",
                    got=name,
                    expected=nearest(name, choices) or choices,
                    hint="Use {row}, a column or an axis.",
                )

    def stems(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return the name of each row below the root, without suffix.

        Raises:
            SettingError: two rows have one name, or a name is too long for a file.
        """
        width = len(str(len(rows)))
        found: dict[str, str] = {}
        for number, values in enumerate(rows, 1):
            name = self._fill(number, width, values)
            if name.lower() in found:
                first = list(found).index(name.lower()) + 1
                raise SettingError(
                    f"Rows {first} and {number} would both be {name}.",
                    got=self.pattern,
                    expected="a name for each row",
                    hint="Put {row} into --out.",
                )
            found[name.lower()] = name
        return list(found.values())

    def _fill(self, number: int, width: int, values: Mapping[str, Any]) -> str:
        filled = []
        for text, field, form, _ in Formatter().parse(self.pattern):
            filled.append(text)
            if field == NUMBER and not form:
                filled.append(f"{number:0{width}}")
            elif field is not None:
                filled.append(self._safe(number if field == NUMBER else values.get(field, ""), form or ""))
        name = "".join(filled)
        if len(name) > LONGEST_NAME:
            raise self._wrong(f"the name of row {number} would have more than {LONGEST_NAME} characters")
        return re.sub(r"\.(png|latent)$", "", name)

    def _safe(self, value: Any, form: str) -> str:
        """Return a value as a part of a file name."""
        try:
            text = format(value if form else str(value), form)
        except (ValueError, TypeError) as error:
            raise self._wrong(f"{value!r} can't be written as {form!r}: {error}") from None
        return UNSAFE.sub("_", text)[:LONGEST_VALUE].strip(". ") or "_"

    def _wrong(self, why: str) -> SettingError:
        return SettingError(
            f"--out can't be used: {why}.",
            got=self.pattern,
            expected="a path with fields such as {row}, {seed} or {seed:05}",
            hint="Write it like 'dir/{row}-{seed}.png'.",
        )


def file_names(stem: str, suffixes: Sequence[str]) -> list[str]:
    """Return a name for each file of a row: ``stem.png``, then ``stem-2.png``, ``stem-3.png``."""
    return [f"{stem}{suffix}" if place == 1 else f"{stem}-{place}{suffix}" for place, suffix in enumerate(suffixes, 1)]
