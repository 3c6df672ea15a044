"""The client that the command line works with."""

import os

from server.client.client import Client
from server.settings import Options


def open_client(options: Options) -> Client:
    """Return a connection to the server of the settings. LOOMIS_TOKEN lets it in where a token is needed.

    Raises:
        Unreachable: it is not there, or does not let this client in.
    """
    return Client(options.server, token=os.environ.get("LOOMIS_TOKEN"))
