"""``loomis check``."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

import nodes
from engine.errors import FileError, LoomisError, WorkflowError, shortened
from engine.examine import Examined, Lack, examine
from engine.folders import Folders
from engine.formats import Catalogue, Loaded, load
from engine.model_map import ModelMap
from engine.node import Registry
from engine.object_info import SpecClasses
from engine.spelling import meant
from server.command import command
from server.commands.arguments import Files, Json, ModelMapping, NearestModels
from server.opening import vocabulary
from server.report import error_data, plain_data, printable
from server.settings import Options
from server.text import show_table
from server.workflow import Named, find_workflows, parse_model_map

KINDS = {"type": "node type", "model": "model", "file": "input file", "value": "value"}


@dataclass(frozen=True, slots=True)
class Checked:
    """A workflow file and what came of it: examined, or the reason why it can't be read."""

    name: str
    loaded: Loaded | None = None
    examined: Examined | None = None
    error: LoomisError | None = None

    @property
    def state(self) -> str:
        return self.examined.state if self.examined else "unreadable"

    @property
    def lacks(self) -> tuple[Lack, ...]:
        if self.examined:
            return self.examined.lacks
        return (Lack("value", self.error.message, (), self.error.hint),) if self.error else ()


@command
def check(
    options: Options,
    files: Files,
    model_map: ModelMapping = None,
    nearest_models: NearestModels = False,
    as_json: Json = False,
) -> None:
    """Say of each workflow whether it would run here, and what to do if not.

    Told are missing node types, missing models (with the download that the file
    names), missing input files, and values that a node does not take. "in part"
    means that only nodes are left out on which no output here depends. The exit
    code is 0 when every workflow runs whole, else 2.

    Examples:
      loomis check workflows
      loomis check portrait.json old-picture.png --json
    """
    registry = vocabulary(options)
    folders = options.folders(nodes.EMBEDDED)
    models = parse_model_map(model_map, nearest_models)
    _check_there(files)
    search = find_workflows(files)
    if search.note:
        typer.echo(printable(search.note), err=True)
    checked = list(check_all(search.files, registry, folders, models))
    runs = sum(each.state == "runs" for each in checked)
    if as_json:
        typer.echo(json.dumps({"workflows": [_data(each) for each in checked], "runs": runs, "total": len(checked)}))
    else:
        _show(checked, runs)
    if runs < len(checked):
        raise typer.Exit(2)


def _check_there(names: Sequence[str]) -> None:
    """See that there is something under every name, before any is looked at.

    Raises:
        FileError: there isn't.
    """
    absent = next((name for name in names if name != "-" and not os.path.exists(name)), None)  # noqa: PTH110
    if absent is not None:
        raise FileError(
            f"There is no file or folder {shortened(absent)}.",
            got=absent,
            expected="workflows in any format, pictures or videos that carry one, or folders of them",
            hint=meant(Path(absent)),
        )


def check_all(found: Sequence[Named], registry: Registry, folders: Folders, models: ModelMap) -> Iterator[Checked]:
    """Examine each file. Pictures and videos that were found in a folder and carry no workflow are passed over."""
    catalogue = Catalogue(SpecClasses(registry.specs))
    for each in found:
        try:
            loaded = models.apply(load(each.source, catalogue), registry, folders)
        except LoomisError as error:
            carries_none = isinstance(error, WorkflowError) and each.place.suffix.lower() != ".json"
            if not (each.found and carries_none):
                yield Checked(each.name, error=error)
            continue
        yield Checked(each.name, loaded, examine(loaded, registry, folders))


def _data(checked: Checked) -> dict[str, Any]:
    data: dict[str, Any] = {"file": checked.name, "state": checked.state}
    if checked.error:
        return data | {"error": error_data(checked.error)}
    if checked.loaded:
        data |= {"format": checked.loaded.format, "container": checked.loaded.container}
    data["lacks"] = [{name: value for name, value in asdict(lack).items() if value} for lack in checked.lacks]
    return data | {"diagnostics": [plain_data(each) for each in checked.loaded.diagnostics] if checked.loaded else []}


def _show(checked: Sequence[Checked], runs: int) -> None:
    rows = [(each.name, each.loaded.format if each.loaded else "", each.state, _counts(each)) for each in checked]
    show_table(("workflow", "format", "state", "missing or wrong"), rows)
    lacks = list(_gathered(checked))
    if lacks:
        typer.echo()
        show_table(("missing or wrong", "what", "needed by", "what to do"), lacks)
    typer.echo(f"{runs} of {len(checked)} workflows run here")


def _counts(checked: Checked) -> str:
    counts = Counter(lack.kind for lack in checked.lacks)
    return ", ".join(f"{count} {KINDS[kind]}{'s' if count > 1 else ''}" for kind, count in counts.items())


def _gathered(checked: Sequence[Checked]) -> Iterator[tuple[str, str, str, str]]:
    """Yield every lack once, those that stop the most workflows first."""
    users: dict[tuple[str, str], list[tuple[Checked, Lack]]] = {}
    for each in checked:
        for lack in each.lacks:
            users.setdefault((lack.kind, lack.name), []).append((each, lack))
    for kind in KINDS:
        ranked = sorted((found for key, found in users.items() if key[0] == kind), key=len, reverse=True)
        for found in ranked:
            (first, lack), *more = found
            nodes = f"node{'s' if len(lack.nodes) > 1 else ''} {', '.join(lack.nodes)}" if lack.nodes else ""
            single = f"{first.name} {nodes}".strip() if len(checked) > 1 else nodes
            do = next((each.do for _, each in found if each.url), lack.do)
            yield KINDS[kind], lack.name, f"{len(found)} workflows" if more else single, do or ""
