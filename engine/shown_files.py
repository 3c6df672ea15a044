"""Files that a foreign node wrote itself, and names in what it shows: ``{"filename", "subfolder", "type"}``."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.folders import PLACES, Folders

KEYS = frozenset({"filename", "subfolder", "type"})


def shown_files(notes: Mapping[str, list[Any]], *folders: Folders) -> Iterator[tuple[str, Mapping[str, Any], Path]]:
    """Yield the files among what a node shows: the name that it is shown under, what says where it is, its path.

    That is in the first of the folders where it is there, else in the first.
    """
    for name, items in notes.items():
        for item in items:
            if is_file(item):
                paths = [each.place(item["type"]) / item["subfolder"] / item["filename"] for each in folders]
                yield name, item, next((path for path in paths if path.is_file()), paths[0])


def is_file(item: Any) -> bool:
    """Whether this says where a file is. It may say more, as nodes of videos do."""
    return (
        isinstance(item, Mapping)
        and item.keys() >= KEYS
        and all(isinstance(item[key], str) for key in KEYS)
        and item["type"] in PLACES
    )
