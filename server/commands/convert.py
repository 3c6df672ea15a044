"""``loomis convert``."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from engine.errors import FileError, LoomisError, SettingError
from engine.formats import Catalogue, Loaded, catalogue_from_object_info, load
from engine.formats.jsontext import parse_json
from engine.object_info import SpecClasses
from engine.spelling import meant
from server.command import command
from server.commands.arguments import Files
from server.opening import vocabulary
from server.report import exit_code, printable, report, show_remarks
from server.settings import Options
from server.text import path_text
from server.workflow import Named, find_workflows


@command
def convert(
    options: Options,
    files: Files,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write DIR/NAME.json for each file.", show_default=False),
    ] = None,
    object_info: Annotated[
        Path | None,
        typer.Option(
            "--object-info",
            metavar="FILE",
            help="Know the node types of this /object_info answer, not those of Loomis.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Turn workflows that the editor saved into the API format, which servers run.

    One file goes to standard output, several below --out. What is odd about a file
    goes to standard error. The exit code is 2 when a graph lacks something that its
    file means, such as the values of an unknown node type.

    Examples:
      loomis convert workflows/portrait.json
      loomis convert saved/ --out api --object-info object_info.json
    """
    search = find_workflows(files)
    if search.note:
        typer.echo(printable(search.note), err=True)
    found = search.files
    if out is None and len(found) > 1:
        raise SettingError(
            f"{len(found)} files need a place to go.", expected="--out DIR", hint="Name a folder with --out."
        )
    catalogue = _catalogue(object_info, options)
    worst = 0
    for each, target in zip(found, _targets(found, out), strict=True):
        try:
            loaded = load(each.source, catalogue)
        except LoomisError as error:
            report(error, as_json=False)
            worst = max(worst, exit_code(error))
            continue
        prefix = f"{each.name}: " if len(found) > 1 else ""
        show_remarks(loaded.diagnostics, prefix)
        _write(loaded, target)
        if any(remark.level == "error" for remark in loaded.diagnostics):
            worst = max(worst, 2)
    if worst:
        raise typer.Exit(worst)


def _catalogue(object_info: Path | None, options: Options) -> Catalogue:
    if object_info is None:
        return Catalogue(SpecClasses(vocabulary(options).specs))
    try:
        return catalogue_from_object_info(parse_json(object_info.read_bytes(), str(object_info)))
    except OSError as error:
        raise FileError(
            f"{object_info} can't be opened: {error.strerror}.",
            got=str(object_info),
            expected="the JSON that a server answers at /object_info",
            hint=meant(object_info),
        ) from None


def _targets(found: Sequence[Named], out: Path | None) -> list[Path | None]:
    """Return where each graph goes; None is standard output. Two files never go to one place."""
    if out is None:
        return [None] * len(found)
    targets = [out / each.place.with_suffix(".json") for each in found]
    twice = [target for target, count in Counter(targets).items() if count > 1]
    if twice:
        names = [each.name for each, target in zip(found, targets, strict=True) if target == twice[0]]
        raise SettingError(
            f"Several files would become {twice[0]}: {', '.join(names)}.",
            got=names,
            expected="files with names of their own",
            hint="Name their folder, or convert them one by one.",
        )
    return list(targets)


def _write(loaded: Loaded, target: Path | None) -> None:
    text = json.dumps(loaded.prompt, indent=2, ensure_ascii=False)
    if target is None:
        typer.echo(text)
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise FileError(
            f"{target} can't be written: {error.strerror}.", got=str(target), hint="Choose another --out."
        ) from None
    typer.echo(path_text(target.absolute()))
