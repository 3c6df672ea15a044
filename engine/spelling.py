"""What is meant by a name that is spelled wrong: the nearest name, or the nearest file that is there."""

import difflib
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

LOOKED_AT = 10_000
"""Names of a folder that are compared, at most."""


def nearest(value: str, options: Iterable[str], cutoff: float = 0.5) -> str | None:
    """Return the option that is spelled most alike, or None when none is."""
    lowered = {option.lower(): option for option in options}
    found = difflib.get_close_matches(value[:200].lower(), lowered, n=1, cutoff=cutoff)
    return lowered[found[0]] if found else None


def nearest_file(name: str, options: Iterable[str]) -> str | None:
    """Return the file whose name is spelled most like ``name``, or None when none is. Suffixes don't count."""
    stems = {option.rsplit(".", 1)[0]: option for option in options}
    near = nearest(name.rsplit(".", 1)[0], stems)
    return stems[near] if near else None


def meant(path: Path, otherwise: str = "Check the path.") -> str:
    """Say which file or folder may be meant by a path at which nothing is."""
    near = nearest_path(path)
    return f"Did you mean {near}?" if near else otherwise


def nearest_path(path: Path) -> Path | None:
    """Return the file or folder that is there and most like ``path``, or None when none is.

    It has the name in a folder beside it, or another name in its folder. A folder that is not there is looked for too.
    """
    try:
        folder = path.parent if path.parent.is_dir() or path.parent == path else nearest_path(path.parent)
        if folder is None:
            return None
        if folder != path.parent and (folder / path.name).exists():
            return folder / path.name
        names = [each.name for each in islice(os.scandir(folder), LOOKED_AT) if not each.name.startswith(".")]
        below = (folder / name / path.name for name in sorted(names))
        near = nearest(path.name, names, cutoff=0.6)
        return next((each for each in below if each.exists()), folder / near if near else None)
    except (OSError, ValueError):
        return None
