"""``loomis run``."""

import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from engine.errors import ValidationError
from server.command import command
from server.commands.arguments import File, ModelMapping, NearestModels, Only, Partial, Set
from server.opening import open_engine
from server.report import show_remarks
from server.settings import Options
from server.signals import cancelled_by_ctrl_c
from server.telling import FilesOnly, JsonLines, Lines, OnTerminal, Teller
from server.workflow import parse_model_map, parse_values, workflow_source


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

    The paths of the files go to standard output, the rest to standard error.

    Examples:
      loomis run workflows/portrait.json
      loomis run workflows/portrait.json --set KSampler.seed=7
      loomis run workflows/portrait.json --set "Positive.text=a man" --only 9 --json
      loomis run output/portrait_00001_.png
      loomis run theirs.json --model-map v1-5.safetensors=mine.safetensors --nearest-models
    """
    parameters = parse_values(values or ())
    models = parse_model_map(model_map, nearest_models)
    with open_engine(options) as engine, cancelled_by_ctrl_c() as cancel:
        workflow = models.apply(engine.load(workflow_source(file)), engine.registry, engine.folders)
        teller = make_teller(as_json, quiet, {id: node["class_type"] for id, node in workflow.prompt.items()})
        try:
            result = engine.run(
                workflow, parameters, targets=only or None, partial=partial, on_event=teller, cancel=cancel
            )
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
