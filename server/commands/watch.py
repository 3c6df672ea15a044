"""``loomis watch``."""

from functools import partial
from typing import Annotated

import typer

from engine.errors import JobError
from server.command import command
from server.commands.server_options import SERVER
from server.settings import Options


@partial(command, settings=SERVER)
def watch(
    options: Options,
    jobs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[JOB]...", help="Ids of jobs or of one batch, or how they begin; none for all, until Ctrl-C."
        ),
    ] = None,
    since: Annotated[
        int | None,
        typer.Option(
            "--since", metavar="N", min=0, help="Begin after this number. Default: a job's first, or from now on."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="Print one JSON object a line: what happens, as it is numbered.")
    ] = False,
) -> None:
    """Watch jobs or a batch of a server: what is remembered, what runs and why, and where the files are.

    A connection that is lost is made anew, and nothing is missed.
    Exits as run does: with 1 when a job failed, with 130 when it was cancelled.

    Examples:
      loomis watch 7c9e6679
      loomis watch --json
      loomis watch --since 120 --json
    """
    from server.client.batching import follow_batch  # not needed for --help
    from server.client.opening import open_client
    from server.client.showing import watch_jobs
    from server.protocol.results import BatchData

    with open_client(options) as client:
        chosen = [client.find(start) for start in jobs or ()]
        batches = [each for each in chosen if isinstance(each, BatchData)]
        if not batches:
            watch_jobs(client, [each.id for each in chosen], as_json, since)
            return
        if len(chosen) > 1:
            raise JobError(
                f"{batches[0].id} is a batch.", got=jobs, expected="one batch, or jobs", hint="Watch it by itself."
            )
        if not follow_batch(client, batches[0], as_json, quiet=False):
            raise typer.Exit(1)
