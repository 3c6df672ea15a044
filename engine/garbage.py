"""Put off the collection of garbage while many objects are made that form no cycles."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_holders = 0
_was_enabled = False


@contextmanager
def collected_later() -> Iterator[None]:
    """Put off collection until the last holder in any thread is done. For short work that runs no node's code.

    Checking and planning a graph makes some twenty objects a node, and the collector would look at all that the
    process holds several times while they grow; of 10,000 nodes that took half of the time.
    """
    global _holders, _was_enabled
    with _lock:
        if not _holders:
            _was_enabled = gc.isenabled()
            gc.disable()
        _holders += 1
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if not _holders and _was_enabled:
                gc.enable()
