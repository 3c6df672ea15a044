"""``loomis cancel``."""

import json
from functools import partial
from typing import Annotated

import typer

from server.command import command
from server.commands.arguments import Json
from server.commands.server_options import SERVER
from server.settings import Options


@partial(command, settings=SERVER)
def cancel(
    options: Options,
    jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help="Ids of jobs or batches.")],
    as_json: Json = False,
) -> None:
    """Cancel jobs or batches of a server. What waits is cancelled at once, what runs at its next step.

    What was finished stays remembered. A job that has ended stays as it is.

    Examples:
      loomis cancel 7c9e6679-7425-40de-944b-e07fc1f90ae7
    """
    from engine.errors import NoSuchJob  # not needed for --help
    from server.client.opening import open_client
    from server.protocol.results import BatchData, JobData

    with open_client(options) as client:
        for id in jobs:
            try:
                found: JobData | BatchData = client.cancel(id)
            except NoSuchJob as error:
                if id not in {batch.id for batch in client.batches(limit=1000).batches}:
                    raise error
                found = client.cancel_batch(id)
            typer.echo(json.dumps(found.model_dump()) if as_json else f"{found.id} {_state(found.state)}")


def _state(state: str) -> str:
    """Return how a job stands that was just asked to end."""
    return "is cancelled at its next step" if state == "running" else state
