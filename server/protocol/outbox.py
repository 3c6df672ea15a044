"""What waits to be sent to one client, in order and within bounds.

Facts and replies are never dropped. Progress and previews are kept under a name (``job``, ``node``), and a newer one
takes the place of one that still waits. When more bytes wait than ``most_bytes``, or something waits for longer than
``most_seconds``, the reader is too slow: the connection is to be closed, and the client catches up by number.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sized
from typing import Generic, TypeVar

F = TypeVar("F", bound=Sized)
"""What waits. Its length is what it takes of memory meanwhile, in bytes."""

Name = tuple[str, ...]
MOST_BYTES = 32 * 2**20
MOST_SECONDS = 30.0


class Outbox(Generic[F]):
    """Frames that wait. Facts go before what can be replaced; one that can is never sent before it was made."""

    def __init__(
        self,
        most_bytes: int = MOST_BYTES,
        most_seconds: float = MOST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.nbytes = 0
        self._most_bytes = most_bytes
        self._most_seconds = most_seconds
        self._clock = clock
        self._facts: deque[tuple[F, float]] = deque()
        self._latest: OrderedDict[Name, F] = OrderedDict()
        self._oldest: float | None = None
        self._renewed = 0.0

    def put(self, frame: F) -> None:
        """Add what must arrive."""
        self._facts.append((frame, self._clock()))
        self.nbytes += len(frame)

    def put_latest(self, name: Name, frame: F) -> None:
        """Add what only matters as long as there is nothing newer of that name."""
        if name in self._latest:
            self.nbytes -= len(self._latest.pop(name))
        self._latest[name] = frame
        self.nbytes += len(frame)

    def drop(self, over: Callable[[Name], bool]) -> None:
        """Take back what waits under names that are over."""
        for name in [name for name in self._latest if over(name)]:
            self.nbytes -= len(self._latest.pop(name))

    def take(self) -> F | None:
        """Return the next frame to send."""
        if self._facts:
            frame, self._oldest = self._facts.popleft()
        elif self._latest:
            _, frame = self._latest.popitem(last=False)
            self._oldest = self._clock()
        else:
            self._oldest = None
            return None
        self.nbytes -= len(frame)
        return frame

    def renew(self) -> None:
        """Count how long what waits has waited from now on: the reader is busy with something large, and reads it."""
        self._renewed = self._clock()

    def too_slow(self) -> bool:
        """Whether the reader is beyond a bound. The frame that was taken last counts as long as no other was taken."""
        began = self._oldest if self._oldest is not None else (self._facts[0][1] if self._facts else None)
        late = began is not None and self._clock() - max(began, self._renewed) > self._most_seconds
        return late or self.nbytes > self._most_bytes
