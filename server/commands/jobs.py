"""``loomis jobs``."""

import json
from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from server.command import command
from server.commands.arguments import Json
from server.commands.server_options import SERVER
from server.settings import Options
from server.text import moment_text, seconds_text, show_table


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
        str | None, typer.Argument(metavar="[JOB]", help="The id of one job, or how it begins, to see all of it.")
    ] = None,
    state: Annotated[
        list[State] | None, typer.Option("--state", help="Only jobs that stand so. May be repeated.")
    ] = None,
    label: Annotated[str | None, typer.Option("--label", metavar="TEXT", help="Only jobs that have it.")] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=1000, show_default=True)] = 20,
    as_json: Json = False,
) -> None:
    """List the jobs of a server, newest first, or show one.

    Examples:
      loomis jobs
      loomis jobs --state queued --state running --json
      loomis jobs 7c9e6679
    """
    from server.client.opening import open_client  # not needed for --help
    from server.client.showing import show_job

    with open_client(options) as client:
        if job is not None:
            show_job(client.find(job), as_json)
            return
        page = client.jobs([each.value for each in state or ()], label=label, limit=limit)
        if as_json:
            typer.echo(json.dumps({"jobs": [each.model_dump() for each in page.jobs], "total": page.total}))
            return
        queue = client.queue()
    rows = [
        (
            each.id,
            each.state,
            moment_text(each.created),
            seconds_text(each.ended - each.began) if each.ended and each.began else "",
            ", ".join(each.labels),
        )
        for each in page.jobs
    ]
    if rows:
        show_table(("job", "state", "submitted", "took", "labels"), rows)
    paused = ", paused" if queue.paused else ""
    typer.echo(f"{len(rows)} of {page.total} jobs; {queue.running} running, {queue.queued} queued{paused}")
