"""The one deferred import of the command line: the engine and the nodes, when a command needs them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from server.settings import GB, Options

if TYPE_CHECKING:
    from engine import Engine


@contextmanager
def open_engine(options: Options) -> "Iterator[Engine]":
    """Give an engine with the whole vocabulary, and close it: what it learned is on disk then."""
    import nodes
    from engine import Engine

    engine = Engine(
        nodes.vocabulary(),
        folders=options.folders(nodes.EMBEDDED),
        settings=options.settings(),
        data=options.data.absolute(),
        memory_bytes=int(options.memory_gb * GB),
        disk_bytes=int(options.disk_gb * GB),
    )
    try:
        yield engine
    finally:
        engine.close()
