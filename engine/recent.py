"""The newest results of each node type: how long they took, and their rows."""

import threading
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from engine.disk import Disk
from engine.rows import Row
from engine.upkeep import Costs

T = TypeVar("T")

SAMPLES = 101


class OnDisk(Protocol):
    """Does something on disk, or returns ``otherwise`` where there is no disk or it fails."""

    def __call__(self, action: Callable[[Disk], T], otherwise: T) -> T: ...


class Window:
    """The newest ``SAMPLES`` of a series of seconds, also in the order of their size."""

    def __init__(self, oldest_first: Iterable[float]) -> None:
        self._series = deque(oldest_first, SAMPLES)
        self._sorted = sorted(self._series)

    def add(self, seconds: float) -> None:
        """Take a new one in place of the oldest."""
        if len(self._series) == SAMPLES:
            del self._sorted[bisect_left(self._sorted, self._series[0])]
        self._series.append(seconds)
        insort(self._sorted, seconds)

    def costs(self) -> Costs | None:
        """Return what is usual; None where there is nothing."""
        if not self._sorted:
            return None
        last = len(self._sorted) - 1
        return Costs(*(self._sorted[round(last * share)] for share in (0.1, 0.5, 0.9)))


class Recent:
    """What this process made is known at once, what others put on disk as of the last ``refresh``. From any thread."""

    def __init__(self, on_disk: OnDisk) -> None:
        self._on_disk = on_disk
        self._lock = threading.Lock()
        self._here: dict[str, deque[float]] = {}
        self._version = 0
        self._windows: dict[str, Window] = {}
        self._rows: dict[tuple[str, int], list[Row]] = {}

    def add(self, type: str, cost: float) -> None:
        """Note what a result took, in seconds."""
        with self._lock:
            self._here.setdefault(type, deque(maxlen=SAMPLES)).append(cost)
            if window := self._windows.get(type):
                window.add(cost)

    def costs(self, type: str) -> Costs | None:
        """Return how long the newest results took, this process's as the newest; None where there are none."""
        with self._lock:
            window = self._windows.get(type)
        if window is None:
            stored: list[float] = self._on_disk(lambda disk: disk.costs(type, SAMPLES), [])
            with self._lock:
                window = self._windows[type] = Window([*reversed(stored), *self._here.get(type, ())])
        with self._lock:
            return window.costs()

    def rows(self, type: str, count: int) -> list[Row]:
        """Return up to ``count`` rows that are on disk, newest first."""
        known = self._rows
        stored = known.get((type, count))
        if stored is None:
            stored = known[type, count] = self._on_disk(lambda disk: disk.recent(type, count), [])
        return stored

    def refresh(self) -> None:
        """Look at the disk anew, if another process wrote since."""
        version = self._on_disk(lambda disk: disk.index.version(), None)
        if version is not None and version != self._version:
            self._version = version
            self.clear()

    def clear(self) -> None:
        """Forget everything that is not on disk, and look there anew."""
        with self._lock:
            self._here, self._windows = {}, {}
        self._rows = {}
