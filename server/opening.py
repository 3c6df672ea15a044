"""The engine that the command line works with."""

import nodes
from engine import Engine
from server.settings import GB, Options


def open_engine(options: Options) -> Engine:
    """Return an engine with the whole vocabulary. To be closed: what it learned is on disk then."""
    return Engine(
        nodes.vocabulary(),
        folders=options.folders(nodes.EMBEDDED),
        settings=options.settings(),
        data=options.data.absolute(),
        memory_bytes=int(options.memory_gb * GB),
        disk_bytes=int(options.disk_gb * GB),
    )
