"""The command line: ``loomis run``, ``plan``, ``check``, ``params``, ``convert``, ``train`` and their like."""

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from server.commands import (
    batch,
    cache,
    cancel,
    check,
    convert,
    diff,
    jobs,
    models,
    nodes,
    params,
    plan,
    replay,
    run,
    serve,
    show,
    submit,
    train,
    watch,
)
from server.report import EXIT_CODES

HELP = """Run diffusion workflows: a workflow file becomes pictures, and what was computed once is remembered.

Examples:
  loomis run workflows/portrait.json
  loomis run workflows/portrait.json --set "Positive.text=a portrait of a man"
  loomis run output/portrait_00001_.png
  loomis batch workflows/portrait.json --grid seed=1..4
  loomis plan workflows/portrait.json
  loomis check workflows
  loomis nodes KSampler

Exit codes:
{codes}

A setting comes from the first of these that has it:
  1. a flag, such as --device cpu
  2. an environment variable, such as LOOMIS_DEVICE=cpu;
     LOOMIS_MODELS and LOOMIS_CUSTOM_NODES hold several folders the way PATH does
  3. a line of the settings file (TOML), such as device = "cpu"
  4. its default

Settings, with the names that the file uses and their defaults:
  models, input, out      folders: models, input and output where you are
  data                    what is remembered: the user data folder
  extra_model_paths       extra_model_paths.yaml, here or beside the models
  custom_nodes            folders of node packs made for ComfyUI: none
  device, precision       auto and auto
  ancestral_noise         next-seed (or same-seed)
  compile                 false, see --compile
  memory_gb, disk_gb      what is remembered, in GiB: 2 and 20
  ram_gb, vram_gb         what models and their work may take: see --ram
  server                  where submit, watch, jobs and cancel find it
  host, port, workers     the server: 127.0.0.1, 8188, one for each device
  token_file, allow_host, allow_origin, log       see loomis serve --help
  history_jobs, history_gb      jobs that it remembers: 10000 and 1
  grace_seconds, park_seconds   what a job may take to stop: 10 and 20
  frozen_seconds, silent_seconds    what a worker that is frozen, or busy, may not answer: 30 and 300

With LOOMIS_TRACEBACK=1 in the environment, errors come with a traceback.
"""

app = typer.Typer(
    help=HELP.format(codes="\n".join(f"  {code:<3} {what}" for code, what in EXIT_CODES.items())),
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run.run)
app.command(cls=batch.TakesAxes)(batch.batch)
app.command()(plan.plan)
app.command()(serve.serve)
app.command()(submit.submit)
app.command()(watch.watch)
app.command()(jobs.jobs)
app.command()(cancel.cancel)
app.command()(check.check)
app.command()(params.params)
app.command()(show.show)
app.command()(diff.diff)
app.command()(replay.replay)
app.command()(convert.convert)
app.command()(nodes.nodes)
app.command()(models.models)
app.command()(cache.cache)
app.command()(train.train)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # slow to import

        typer.echo(f"loomis {version('loomis')}")
        raise typer.Exit


@app.callback()
def options(
    show_version: Annotated[
        bool, typer.Option("--version", metavar="", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that come before a command."""


def main() -> None:
    """Run the command line. Texts that the terminal can't show are escaped, never an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    app()
