"""Workflow files as the command line names them, and the values it sets in them."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from engine.errors import FileError, SettingError
from engine.model_map import ModelMap
from engine.spelling import meant

SUFFIXES = frozenset({".json", ".png", ".webp", ".jpg", ".jpeg", ".mp4", ".m4v", ".mov", ".webm", ".mkv"})
"""Files that may be workflows or carry one."""


PROGRAMS = frozenset({"node_modules", "__pycache__", "site-packages"})
"""Folders of installed programs."""

VENV = "pyvenv.cfg"
"""The file that makes a folder an environment of Python."""


class Named(NamedTuple):
    """A workflow to be read. ``place`` is its name below the folder in which it was found; ``found`` if it was."""

    name: str
    source: Path | bytes
    place: Path
    found: bool


def workflow_source(name: str) -> Path | bytes:
    """Return what a name on the command line means: a file, or for ``-`` what standard input holds."""
    return sys.stdin.buffer.read() if name == "-" else Path(name)


class Search(NamedTuple):
    """What was found, and the folders that were passed over."""

    files: list[Named]
    skipped: list[Path]

    @property
    def note(self) -> str | None:
        """Say which folders were passed over, if any were."""
        if not self.skipped:
            return None
        shown = ", ".join(map(str, self.skipped[:3])) + (", ..." if len(self.skipped) > 3 else "")
        return f"Folders passed over, which are hidden or hold programs: {len(self.skipped)} ({shown})"


def find_workflows(names: Sequence[str]) -> Search:
    """Return the files that are named, and those below folders that are named.

    Below those, folders that are hidden or hold installed programs are passed over.

    Raises:
        FileError: a folder has no file that could be a workflow.
    """
    search = Search([], [])
    for name in names:
        path = Path(name)
        if name == "-" or not path.is_dir():
            place = Path("standard-input" if name == "-" else path.name)
            search.files.append(Named(name, workflow_source(name), place, False))
            continue
        files = sorted(_files_below(path, search.skipped))
        if not files:
            raise FileError(
                f"The folder {name} has no workflows.",
                got=name,
                expected="JSON files, pictures or videos",
                hint="Name another folder.",
            )
        search.files.extend(Named(str(file), file, file.relative_to(path), True) for file in files)
    return search


def _files_below(root: Path, skipped: list[Path]) -> Iterator[Path]:
    """Yield the files that may be workflows; add to ``skipped`` what is passed over."""
    for folder, inside, files in os.walk(root):
        here = Path(folder)
        passed = {name for name in inside if name.startswith(".") or name in PROGRAMS or (here / name / VENV).exists()}
        skipped += sorted(here / name for name in passed)
        inside[:] = [name for name in inside if name not in passed]
        yield from (here / name for name in files if Path(name).suffix.lower() in SUFFIXES)


def parse_values(settings: Sequence[str]) -> dict[str, Any]:
    """Return what ``--set NAME=VALUE`` means, as parameters of a run.

    Raises:
        SettingError: one has another form.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        target, equals, text = setting.partition("=")
        if not equals or not target:
            raise SettingError(
                f"--set can't use {setting!r}.",
                got=setting,
                expected="NAME=VALUE",
                hint='Write it like --set seed=42, --set 3.seed=42 or --set "Positive.text=a fox".',
            )
        values[target] = parse_value(text)
    return values


def parse_model_map(given: Sequence[str] | None, nearest: bool) -> ModelMap:
    """Return what ``--model-map OLD=NEW`` or ``--model-map FILE`` and ``--nearest-models`` mean.

    Raises:
        SettingError: one has another form.
        FileError: a file can't be read.
    """
    names: dict[str, str] = {}
    for text in given or ():
        old, equals, new = text.rpartition("=")
        found = {old: new} if equals else _model_names(Path(text))
        if not all(isinstance(name, str) and name for pair in found.items() for name in pair):
            raise SettingError(
                f"--model-map can't use {text!r}.",
                got=text,
                expected='OLD=NEW, or a JSON file with {"OLD": "NEW"}',
                hint="Write it like --model-map v1-5.safetensors=mine.safetensors.",
            )
        names |= found
    return ModelMap(names, nearest)


def _model_names(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(
            f"{path} can't be opened: {error.strerror}.", got=str(path), expected="OLD=NEW or a JSON file",
            hint=meant(path, "Write it like --model-map v1-5.safetensors=mine.safetensors."),
        ) from None  # fmt: skip
    except ValueError as error:
        raise SettingError(f"{path} is no JSON: {error}.", got=str(path), hint="Correct it.") from None
    return found if isinstance(found, dict) else {"": found}


def parse_value(text: str) -> Any:
    """Return a value from the command line: JSON, or the text itself.

    A number that would be written another way (``1.50``, ``007``) and the words true, false and null stay texts: the
    input's declared type decides what they mean.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, str | list | dict):
        return value
    return value if type(value) in (int, float) and json.dumps(value) == text else text


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def typed(types: Mapping[str, str], node: str) -> str:
    """Return a node as a person knows it: its id and type."""
    return f"{node} {types[node]}" if node in types else node
