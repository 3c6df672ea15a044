"""The command line: ``loomis run``, ``plan``, ``nodes``, ``models``, ``cache``."""

import sys
from importlib.metadata import version
from io import TextIOWrapper
from typing import Annotated

import typer

from server.commands import cache, models, nodes, plan, run

HELP = """Run diffusion workflows: a workflow file becomes pictures, and what was computed once is remembered.

Examples:

\b
  loomis run workflows/portrait.json
  loomis run workflows/portrait.json --set "6.text=a portrait of a man"
  loomis plan workflows/portrait.json
  loomis nodes KSampler

Exit codes: 0 done, 1 the run failed, 2 wrong usage, a wrong setting or an invalid workflow, 3 a file or a model can't be
used, 130 cancelled by Ctrl-C.

A setting comes from a flag, else from an environment variable (LOOMIS_MODELS, LOOMIS_DEVICE, ...), else from the settings
file (TOML: models, input, out, data, device, precision, ancestral_noise, extra_model_paths, memory_gb, disk_gb, ram_gb,
vram_gb), else it has its default. Each has a variable; LOOMIS_MODELS holds several folders like PATH does.
"""

app = typer.Typer(
    help=HELP,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run.run)
app.command()(plan.plan)
app.command()(nodes.nodes)
app.command()(models.models)
app.command()(cache.cache)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"loomis {version('loomis')}")
        raise typer.Exit


@app.callback()
def options(
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that come before a command."""


def main() -> None:
    """Run the command line. Texts that the terminal can't show are escaped, never an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    app()
