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
    jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help="Ids of jobs or batches, or how they begin.")],
    as_json: Json = False,
) -> None:
    """Cancel jobs or batches of a server. What waits is cancelled at once, what runs at its next step.

    What was finished stays remembered. A job that has ended stays as it is.

    Examples:
      loomis cancel 7c9e6679
    """
    from server.client.opening import open_client  # not needed for --help
    from server.protocol.results import BatchData, JobData

    with open_client(options) as client:
        for chosen in [client.find(start) for start in jobs]:
            end = client.cancel_batch if isinstance(chosen, BatchData) else client.cancel
            now: JobData | BatchData = end(chosen.id)
            typer.echo(json.dumps(now.model_dump()) if as_json else f"{now.id} {_state(now.state)}")


def _state(state: str) -> str:
    """Return how a job stands that was just asked to end."""
    return "is cancelled at its next step" if state == "running" else state
