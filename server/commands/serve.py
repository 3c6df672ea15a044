"""``loomis serve``."""

import os
import sys
from functools import partial
from pathlib import Path
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
    "token_file": Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            help="The token that clients need; made if it is not there. Other addresses than this machine's need one. "
            "(env LOOMIS_TOKEN_FILE, or LOOMIS_TOKEN for the token itself)",
        ),
    ],
    "allow_host": Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            help="Another name that the server answers to; may be repeated (env LOOMIS_ALLOW_HOST)",
        ),
    ],
    "allow_origin": Annotated[
        list[str] | None,
        typer.Option(
            "--allow-origin",
            metavar="ORIGIN",
            help="Another site whose pages may call, as https://example.org; may be repeated (env LOOMIS_ALLOW_ORIGIN)",
        ),
    ],
    "frontend": Annotated[
        str | None,
        typer.Option(
            "--frontend",
            metavar="PATH_OR_PACKAGE",
            help="Another web frontend at /, such as comfyui-frontend-package once it is installed; Loomis's own page "
            "is at /loomis then (env LOOMIS_FRONTEND)",
        ),
    ],
    "log": Annotated[
        str | None,
        typer.Option("--log", metavar="STYLE", help="human or json. Default: human on a terminal (env LOOMIS_LOG)"),
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
      loomis serve --frontend comfyui-frontend-package
      loomis serve --host 0.0.0.0 --token-file ~/.loomis-token
    """
    import asyncio  # slow to import, as is the server

    from server import logs
    from server.app.host import serve as serve_on_loop
    from server.security.access import read_access

    access = read_access(
        options.host,
        options.port,
        token=os.environ.pop("LOOMIS_TOKEN", None),  # workers get this environment
        token_file=options.token_file,
        hosts=options.allow_host,
        origins=options.allow_origin,
    )
    logs.configure(sys.stderr, options.log, secrets=[access.token.get_secret_value()] if access.token else [])
    asyncio.run(serve_on_loop(options, access, announce=lambda address: typer.echo(f"Serving at {address}")))
