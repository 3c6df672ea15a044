"""``loomis serve``."""

import sys
from functools import partial
from typing import Annotated, Any

import typer

from server.command import SHARED, command
from server.settings import Options

SERVING: dict[str, Any] = {
    "host": Annotated[
        str | None,
        typer.Option("--host", metavar="ADDRESS", help="Where to listen. Default: 127.0.0.1 (env LOOMIS_HOST)"),
    ],
    "port": Annotated[
        int | None,
        typer.Option("--port", metavar="PORT", help="0 takes one that is free. Default: 8188 (env LOOMIS_PORT)"),
    ],
    "workers": Annotated[
        str | None,
        typer.Option(
            "--workers", metavar="LIST", help="A number, or cuda:0,cuda:1. Default: one a device (env LOOMIS_WORKERS)"
        ),
    ],
}


@partial(command, settings=SHARED | SERVING)
def serve(options: Options) -> None:
    """Serve workflows over HTTP and WebSocket. Jobs are queued on disk and run by worker processes.

    Ctrl-C ends the server: the job that runs stops at the end of its node and goes on at the next start. A second
    Ctrl-C ends it at once. Nothing that was accepted is lost either way.

    Examples:
      loomis serve
      loomis serve --port 8000 --data ./data
    """
    import asyncio  # slow to import, as is the server

    from server.app.host import serve as serve_on_loop
    from server.logs import configure

    configure(sys.stderr)
    asyncio.run(serve_on_loop(options, announce=lambda address: typer.echo(f"Serving at {address}")))
