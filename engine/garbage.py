"""Hold back the collection of garbage while many objects are made that form no cycles.

Looking at a node, running it and remembering what it gave makes some fifty objects, and the collector would look at all
that the process holds several times while they grow: of 10,000 nodes that took up to half of the time.
"""

import ctypes
import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from functools import partial

SELDOM = 10
"""How many times as much has to grow before a full collection."""


class Brake(ContextDecorator):
    """What the first holder in any thread ``pulls``, and the last one lets go of: ``pull`` returns how."""

    def __init__(self, pull: Callable[[], Callable[[], None]]) -> None:
        self._pull = pull
        self._lock = threading.Lock()
        self._holders = 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._holders:
                self._let_go = self._pull()
            self._holders += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._holders -= 1
            if not self._holders:
                self._let_go()

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """Let go for a while. Only for who holds it."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()


def _stop() -> Callable[[], None]:
    was_enabled = gc.isenabled()
    gc.disable()
    return gc.enable if was_enabled else gc.disable


def _slow_down() -> Callable[[], None]:
    before = gc.get_threshold()
    gc.set_threshold(*before[:2], before[2] * SELDOM)
    return partial(gc.set_threshold, *before)


def give_back() -> None:
    """Collect all garbage, and return to the system what glibc's allocator keeps for later (malloc_trim(3))."""
    gc.collect()
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)


collected_later = Brake(_stop)
"""No collection. For short work that runs no node's code."""

seldom_collected = Brake(_slow_down)
"""Young objects are collected as ever, all objects seldom. For runs: what nodes leave behind is mostly young."""
