"""``loomis models``."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from engine.errors import SettingError
from engine.folders import KINDS, SAME, Folders
from engine.spelling import nearest
from nodes import EMBEDDED
from server.command import command
from server.commands.arguments import Json
from server.settings import Options
from server.text import bytes_text, path_text, show_table


class Found(NamedTuple):
    """A model file: the name that a workflow uses, and where it is."""

    name: str
    path: Path
    size: int


@command
def models(
    options: Options,
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="checkpoints, loras, vae, ...", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """List the model files by kind, and where they were found.

    Examples:
      loomis models
      loomis models loras --models ~/models --models /shared/models
    """
    folders = options.folders(EMBEDDED)
    kinds = _kinds(kind, folders)
    found = {kind: list(_found(kind, folders)) for kind in kinds}
    if as_json:
        typer.echo(json.dumps({kind: _data(kind, files, folders) for kind, files in found.items()}))
        return
    rows = [(kind, file.name, bytes_text(file.size), path_text(file.path)) for kind in kinds for file in found[kind]]
    if rows:
        show_table(("kind", "name", "size", "file"), rows)
    for kind in kinds:
        if not found[kind] and len(kinds) == 1:
            typer.echo(f"No {kind} in " + ", ".join(path_text(root) for root in _roots(kind, folders)))
    if len(kinds) > 1 and not all(found.values()):
        typer.echo("None of: " + ", ".join(kind for kind in kinds if not found[kind]))


def _kinds(kind: str | None, folders: Folders) -> list[str]:
    known = [*KINDS, *(name for name in folders.extra if name not in KINDS)]
    if kind is None:
        return known
    if SAME.get(kind, kind) not in known:
        near = nearest(kind, [*known, *SAME])
        raise SettingError(
            f"There is no kind of models {kind!r}.",
            got=kind,
            expected=near or ", ".join(known),
            hint=f"Did you mean {near}?" if near else "Use one of these.",
        )
    return [SAME.get(kind, kind)]


def _roots(kind: str, folders: Folders) -> list[Path]:
    return list(dict.fromkeys(folders.roots(kind)))


def _found(kind: str, folders: Folders) -> Iterator[Found]:
    for name in folders.names(kind):
        path = folders.model(kind, name)
        if path is not None:
            yield Found(name, path, path.stat().st_size)


def _data(kind: str, files: list[Found], folders: Folders) -> dict[str, object]:
    return {
        "folders": [str(root) for root in _roots(kind, folders)],
        "files": [{"name": file.name, "path": str(file.path), "bytes": file.size} for file in files],
    }
