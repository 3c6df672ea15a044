"""The newest results of each node type: how long they took, and their rows."""

from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeVar

from engine.disk import Disk
from engine.rows import Row
from engine.upkeep import Costs

T = TypeVar("T")

SAMPLES = 101


class OnDisk(Protocol):
    """Does something on disk, or returns ``otherwise`` where there is no disk or it fails."""

    def __call__(self, action: Callable[[Disk], T], otherwise: T) -> T: ...


class Recent:
    """What this process made is known at once, what is on disk as of the last ``refresh``. From any thread."""

    def __init__(self, on_disk: OnDisk) -> None:
        self._on_disk = on_disk
        self._here: dict[str, deque[float]] = {}
        self._version = 0
        self._costs: dict[str, list[float]] = {}
        self._rows: dict[tuple[str, int], list[Row]] = {}

    def add(self, type: str, cost: float) -> None:
        """Note what a result took, in seconds."""
        self._here.setdefault(type, deque(maxlen=SAMPLES)).append(cost)

    def costs(self, type: str) -> Costs | None:
        """Return how long results took; None where there are none."""
        known = self._costs
        stored = known.get(type)
        if stored is None:
            stored = known[type] = self._on_disk(lambda disk: disk.costs(type, SAMPLES), [])
        samples = sorted([*self._here.get(type, ()), *stored])
        if not samples:
            return None
        last = len(samples) - 1
        return Costs(*(samples[round(last * share)] for share in (0.1, 0.5, 0.9)))

    def rows(self, type: str, count: int) -> list[Row]:
        """Return up to ``count`` rows that are on disk, newest first."""
        known = self._rows
        stored = known.get((type, count))
        if stored is None:
            stored = known[type, count] = self._on_disk(lambda disk: disk.recent(type, count), [])
        return stored

    def refresh(self) -> None:
        """Look at the disk anew, if anything was written since."""
        version = self._on_disk(lambda disk: disk.index.version(), 0)
        if version != self._version:
            self._version, self._costs, self._rows = version, {}, {}

    def clear(self) -> None:
        """Forget everything."""
        self._here, self._costs, self._rows = {}, {}, {}
