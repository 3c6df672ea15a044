"""Model folders that other programs share: ``extra_model_paths.yaml``.

One section a program: a ``base_path``, and per kind of model a path or a block of paths below it. A section with
``is_default: true`` comes before the models folders, the others behind them::

    other_program:
        base_path: ~/other/models
        checkpoints: checkpoints
        loras: |
            loras
            more_loras
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.errors import SettingError
from engine.folders import SAME
from engine.spelling import meant

NAME = "extra_model_paths.yaml"
FORM = "sections that map a kind of model (checkpoints, loras, ...) to a path or a block of paths"

Paths = dict[str, tuple[Path, ...]]


def find_files(models: Sequence[Path]) -> list[Path]:
    """Return the ``extra_model_paths.yaml`` in the current folder and beside the models folders."""
    places = [Path.cwd(), *(root.absolute().parent for root in models)]
    return [place / NAME for place in dict.fromkeys(places) if (place / NAME).is_file()]


def read_model_paths(files: Sequence[Path], models: Sequence[Path]) -> Paths:
    """Return the folders per kind in order of precedence.

    Default sections come first, then ``models/<kind>`` of each models folder, then the other sections.

    Raises:
        SettingError: a file can't be read or has another form.
    """
    first: Paths = {}
    last: Paths = {}
    for file in files:
        for section in _sections(file):
            into = first if section.get("is_default") is True else last
            for kind, paths in _folders(section, file):
                into[kind] = (*into.get(kind, ()), *paths)
    return {
        kind: (*first.get(kind, ()), *(_own(kind, models) if kind in last else ()), *last.get(kind, ()))
        for kind in {**first, **last}
    }


def _own(kind: str, models: Sequence[Path]) -> Iterator[Path]:
    names = [kind, *(alias for alias, name in SAME.items() if name == kind)]
    return (root / name for root in models for name in names)


def _sections(file: Path) -> list[Mapping[str, Any]]:
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise SettingError(
            f"{file} can't be read: {error.strerror}.", got=str(file), expected=NAME, hint=meant(file)
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingError(f"{file} is not YAML: {error}.", got=str(file), expected=FORM, hint="Correct it.") from None
    if not isinstance(content, dict) or not all(isinstance(part, dict | None) for part in content.values()):
        raise SettingError(f"{file} has another form.", got=content, expected=FORM, hint="Correct it.")
    return [part for part in content.values() if part]


def _folders(section: Mapping[str, Any], file: Path) -> Iterator[tuple[str, list[Path]]]:
    """Return the kinds of a section with their folders. Relative paths start at the file's own folder."""
    base = file.absolute().parent / _expanded(str(section.get("base_path") or ""))
    for kind, paths in section.items():
        if kind in ("base_path", "is_default") or paths is None:
            continue
        if not isinstance(paths, str):
            raise SettingError(f"{file}: {kind} is no path.", got=paths, expected=FORM, hint="Write a path there.")
        lines = [line.strip() for line in paths.splitlines()]
        yield SAME.get(str(kind), str(kind)), [base / _expanded(line) for line in lines if line]


def _expanded(path: str) -> str:
    return os.path.expandvars(os.path.expanduser(path))  # noqa: PTH111
