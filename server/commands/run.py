"""``loomis run``."""

import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from engine import Engine
from engine.errors import Cancelled, LoomisError, ValidationError, WorkflowError
from engine.formats import Loaded
from server.command import command
from server.commands.arguments import File, ModelMapping, NearestModels, Only, Partial, Set
from server.opening import open_engine
from server.pipeline import Piped, read_runs
from server.report import exit_code, report, show_remarks
from server.settings import Options
from server.signals import cancelled_by_ctrl_c
from server.telling import FilesOnly, JsonLines, Lines, OnTerminal, Teller
from server.workflow import parse_model_map, parse_values


@command
def run(
    options: Options,
    file: File,
    values: Set = None,
    only: Only = None,
    partial: Partial = False,
    model_map: ModelMapping = None,
    nearest_models: NearestModels = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", metavar="", help="Print one JSON object a line: every event, then the result or the error."
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", metavar="", help="Print nothing but the paths of the files.")
    ] = False,
) -> None:
    """Run a workflow. What was computed before is remembered; only what changed runs.

    The paths of the files go to standard output, the rest to standard error. With
    - in place of a file, standard input is a workflow, or JSON lines with a run
    a line: a workflow, or {"file": PATH, "set": {NAME: VALUE}}. A line that fails
    is told, and the next one runs.

    Examples:
      loomis run workflows/portrait.json
      loomis run workflows/portrait.json --set KSampler.seed=7
      loomis run workflows/portrait.json --set "Positive.text=a man" --only 9 --json
      loomis run output/portrait_00001_.png
      loomis run theirs.json --model-map v1-5.safetensors=mine.safetensors --nearest-models
    """
    parameters = parse_values(values or ())
    models = parse_model_map(model_map, nearest_models)
    worst = 0
    with open_engine(options) as engine, cancelled_by_ctrl_c() as cancel:
        for piped in read_runs(sys.stdin.buffer) if file == "-" else (Piped(Path(file)),):
            try:
                if isinstance(piped, WorkflowError):
                    raise piped
                workflow = models.apply(engine.load(piped.source), engine.registry, engine.folders)
                wanted = {**parameters, **piped.parameters}
                _run_one(engine, workflow, wanted, cancel, (only or None, partial), (as_json, quiet))
            except Cancelled:
                raise
            except LoomisError as error:
                if isinstance(piped, Piped) and piped.line is None:
                    raise
                report(error, as_json)
                worst = max(worst, exit_code(error))
    if worst:
        raise typer.Exit(worst)


def _run_one(
    engine: Engine,
    workflow: Loaded,
    parameters: Mapping[str, Any],
    cancel: threading.Event,
    asked: tuple[Sequence[str] | None, bool],
    told: tuple[bool, bool],
) -> None:
    """Run and tell one workflow. ``asked`` is its targets and whether a part will do, ``told`` --json and --quiet."""
    teller = make_teller(*told, {id: node["class_type"] for id, node in workflow.prompt.items()})
    try:
        result = engine.run(workflow, parameters, targets=asked[0], partial=asked[1], on_event=teller, cancel=cancel)
    except ValidationError:
        show_remarks(workflow.warnings)
        raise
    finally:
        teller.close()
    teller.finish(result)


def make_teller(as_json: bool, quiet: bool, types: Mapping[str, str]) -> Teller:
    """Return how the run is told. Bars need a terminal."""
    if as_json:
        return JsonLines()
    if quiet:
        return FilesOnly()
    return OnTerminal(types) if sys.stderr.isatty() else Lines(types)
