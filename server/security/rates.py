"""Token buckets: how often something may happen, per client."""

import time
from collections import OrderedDict
from collections.abc import Callable

MOST_KEYS = 10_000


class Buckets:
    """One bucket a key, filled with ``rate`` a second up to ``burst``. Only the newest 10,000 keys are kept."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def level(self, key: str) -> float:
        """Return how much there is for a key."""
        level, then = self._levels.get(key, (self.burst, 0.0))
        return min(self.burst, level + (self._clock() - then) * self.rate)

    def take(self, key: str) -> bool:
        """Take one; False if there is less than that."""
        level = self.level(key)
        if level < 1:
            return False
        self._levels[key] = (level - 1, self._clock())
        self._levels.move_to_end(key)
        if len(self._levels) > MOST_KEYS:
            self._levels.popitem(last=False)
        return True
