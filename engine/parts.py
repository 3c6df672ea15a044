"""Files that appear whole or not at all."""

import itertools
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Self

from engine.processes import is_dead_here, local_name

_numbers = itertools.count()


class Part:
    """A file on its way to ``target``, in the same folder. One that took no place when the block ends is removed.

    Every method may raise OSError.
    """

    def __init__(self, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        _drop_leftovers(target)
        self.path = target.with_name(f".{target.name}.{local_name()}.{next(_numbers)}")
        self.file = self.path.open("xb")

    def take(self, place: Path) -> None:
        """Replace what is at a place."""
        self.file.close()
        self.path.replace(place)

    def take_free(self, place: Path) -> bool:
        """Take a place unless something is there, and return whether it did."""
        try:
            place.open("xb").close()
        except FileExistsError:
            return False
        self.take(place)
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.file.close()
        with suppress(OSError):
            self.path.unlink()


def _drop_leftovers(target: Path) -> None:
    """Remove what processes left of this file that were killed while they wrote it."""
    leftover = re.compile(rf"\.{re.escape(target.name)}\.(\d+-[0-9a-f]+)\.\d+")
    for name in os.listdir(target.parent):  # noqa: PTH208
        if (found := leftover.fullmatch(name)) and is_dead_here(found[1]):
            target.with_name(name).unlink(missing_ok=True)
