"""``loomis watch``."""

from functools import partial
from typing import Annotated

import typer

from server.command import command
from server.commands.server_options import SERVER
from server.settings import Options


@partial(command, settings=SERVER)
def watch(
    options: Options,
    jobs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[JOB]...", help="Ids of jobs, or how they begin, or of one batch; none for all, until Ctrl-C."
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

    with open_client(options) as client:
        batches = {batch.id: batch for batch in client.batches(limit=1000).batches} if jobs else {}
        if jobs and len(jobs) == 1 and jobs[0] in batches:
            if not follow_batch(client, batches[jobs[0]], as_json, quiet=False):
                raise typer.Exit(1)
            return
        watch_jobs(client, [client.find(start).id for start in jobs or ()], as_json, since)
