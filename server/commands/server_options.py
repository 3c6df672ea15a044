"""The shared options of commands that talk to a server."""

from typing import Annotated, Any

import typer

from server.command import SHARED

SERVER: dict[str, Any] = {
    "server": Annotated[
        str | None,
        typer.Option("--server", metavar="URL", help="Where it is. Default: http://127.0.0.1:8188 (env LOOMIS_SERVER)"),
    ],
    "settings": SHARED["settings"],
}
