"""The engine that the command line works with."""

import nodes
from engine import Engine, Registry
from server.settings import GB, Options


def open_engine(options: Options, registry: Registry | None = None) -> Engine:
    """Return an engine, with the whole vocabulary if no other. To be closed: what it learned is on disk then."""
    return Engine(
        registry or nodes.vocabulary(),
        folders=options.folders(nodes.EMBEDDED),
        settings=options.settings(),
        data=options.data.absolute(),
        memory_bytes=int(options.memory_gb * GB),
        disk_bytes=int(options.disk_gb * GB),
    )
