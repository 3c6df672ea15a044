"""``loomis plan``."""

import json

import typer

from server.command import command
from server.commands.arguments import File, Json, ModelMapping, NearestModels, Only, Partial, Set
from server.opening import open_engine
from server.report import show_remarks
from server.settings import Options
from server.text import range_text, seconds_text, show_table
from server.workflow import parse_model_map, parse_values, workflow_source


@command
def plan(
    options: Options,
    file: File,
    values: Set = None,
    only: Only = None,
    partial: Partial = False,
    model_map: ModelMapping = None,
    nearest_models: NearestModels = False,
    as_json: Json = False,
) -> None:
    """Show what a run would do, without doing it.

    Each node is remembered, runs (and why), or depends: something above it
    runs, and if that gives the same value as before, it is still remembered.

    Examples:
      loomis plan workflows/portrait.json
      loomis plan workflows/portrait.json --set KSampler.seed=7 --json
    """
    parameters = parse_values(values or ())
    models = parse_model_map(model_map, nearest_models)
    with open_engine(options) as engine:
        workflow = models.apply(engine.load(workflow_source(file)), engine.registry, engine.folders)
        show_remarks(workflow.warnings)
        bound = engine.check(workflow, parameters, targets=only or None, partial=partial)
        found = engine.plan(workflow, parameters, targets=only or None, partial=partial)
    types = {id: node.spec.type for id, node in bound.nodes.items()}
    if as_json:
        steps = {
            id: {"type": types[id], "state": step.state, "why": step.why, "seconds": step.seconds}
            for id, step in found.steps.items()
        }
        typer.echo(json.dumps({"nodes": steps, "seconds": found.seconds}))
        return
    rows = [(id, types[id], step.state, step.why, range_text(step.seconds)) for id, step in found.steps.items()]
    show_table(("node", "type", "state", "why", "expected"), rows)
    total = range_text(found.seconds)
    typer.echo(f"{len(found.nodes('runs'))} of {len(rows)} nodes run" + (f", {total} expected" if total else ""))
    if total:
        from engine.paths import critical_path

        path, seconds = critical_path(bound, found)
        typer.echo(f"longest chain: {' > '.join(path)}, up to {seconds_text(seconds)}")
