"""``loomis jobs``."""

from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from server.command import command
from server.commands.arguments import Json
from server.commands.server_options import SERVER
from server.settings import Options


class State(StrEnum):
    """Where a job stands."""

    queued = "queued"
    running = "running"
    succeeded = "succeeded"
    failed = "failed"
    cancelled = "cancelled"


@partial(command, settings=SERVER)
def jobs(
    options: Options,
    job: Annotated[
        str | None,
        typer.Argument(metavar="[JOB]", help="The id of one job or batch, or how it begins: all of it."),
    ] = None,
    state: Annotated[
        list[State] | None, typer.Option("--state", help="Only jobs that stand so. May be repeated.")
    ] = None,
    label: Annotated[str | None, typer.Option("--label", metavar="TEXT", help="Only jobs that have it.")] = None,
    rows: Annotated[bool, typer.Option("--rows", metavar="", help="List the rows of batches as jobs.")] = False,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=1000, show_default=True)] = 20,
    as_json: Json = False,
) -> None:
    """List the jobs of a server, newest first, or show one. A batch is one line.

    Examples:
      loomis jobs
      loomis jobs --state queued --state running --json
      loomis jobs 7c9e6679
      loomis jobs --label "batch 2f1b" --rows
    """
    from server.client.opening import open_client  # not needed for --help
    from server.client.showing import list_jobs, show_job

    with open_client(options) as client:
        if job is not None:
            show_job(client.find(job), as_json)
        else:
            list_jobs(client, [each.value for each in state or ()], label, rows, limit, as_json)
