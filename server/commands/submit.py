"""``loomis submit``."""

import json
from functools import partial as bound
from typing import Annotated

import typer

from server.command import command
from server.commands.arguments import File, Only, Partial, Set
from server.commands.server_options import SERVER
from server.settings import Options
from server.workflow import parse_values, workflow_source


@bound(command, settings=SERVER)
def submit(
    options: Options,
    file: File,
    values: Set = None,
    only: Only = None,
    partial: Partial = False,
    priority: Annotated[
        int, typer.Option("--priority", metavar="N", min=-100, max=100, help="Higher runs first.", show_default=True)
    ] = 0,
    front: Annotated[bool, typer.Option("--front", metavar="", help="Go before all that wait.")] = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", help="Fail the job if it is not done by then.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="TEXT", help="To find it by. May be repeated.")
    ] = None,
    job: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="An id of your own: submitted again it is still the same job."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", metavar="", help="Watch it until it has ended.")] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", metavar="", help="Print the job as JSON; with --watch, what happens as JSON lines."),
    ] = False,
) -> None:
    """Give a workflow to a server, which runs it when its turn comes. Prints the id of the job.

    The file is read here; models and input pictures are those of the server.
    The job is on the server's disk when its id is printed: it survives a restart.

    Examples:
      loomis submit workflows/portrait.json
      loomis submit workflows/portrait.json --set KSampler.seed=7 --watch
      loomis submit output/portrait_00001_.png --priority 10 --label night
    """
    from engine.formats import read  # not needed for --help
    from server.client.opening import open_client
    from server.client.showing import watch_jobs

    found = read(workflow_source(file))
    with open_client(options) as client:
        made = client.submit(
            found.envelope,
            parse_values(values or ()),
            job=job,
            targets=only or None,
            partial=partial,
            priority=priority,
            front=front,
            timeout=timeout,
            labels=label or (),
        )
        if not watch:
            typer.echo(json.dumps(made.model_dump()) if as_json else made.id)
            return
        typer.echo(made.id, err=True)
        watch_jobs(client, [made.id], as_json)
