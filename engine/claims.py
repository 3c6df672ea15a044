"""Who computes a key: a flight tells the runs of this process, and a lease tells other processes of long nodes."""

import time
from collections.abc import Callable, Sequence
from functools import partial

from engine.flights import Flights
from engine.memo import Memo
from engine.task import Task

LEASED_POLL_SECONDS = 0.05
"""How often a node is looked at whose keys another process computes."""

LONG_SECONDS = 0.05
"""A node that is expected to take longer is announced to other processes."""


class Claims:
    """The keys that one run computes, and the tasks that wait for those that others compute.

    ``look_again`` gets each task that need not wait any more; ``post`` has a function called in the loop's thread.
    """

    def __init__(
        self,
        memo: Memo,
        flights: Flights,
        look_again: Callable[[Task], None],
        post: Callable[[Callable[[], None]], None],
    ) -> None:
        self.parked: set[Task] = set()
        self._memo = memo
        self._flights = flights
        self._look_again = look_again
        self._post = post
        self._due: dict[Task, float] = {}
        self._taken: dict[Task, list[bytes]] = {}

    def take(self, task: Task, missing: Sequence[int]) -> bool:
        """Claim a task's calls. False when somebody computes one of them already: the task is looked at again then."""
        keys = list(dict.fromkeys(task.calls[index].key for index in missing))
        if not self._flights.take(keys, partial(self._post, partial(self._unpark, task))):
            self.parked.add(task)
        elif not task.forced and self._came_meanwhile(task, missing):
            self._flights.land(keys)
            self._look_again(task)
        elif self._is_long(task) and not self._memo.lease(keys):
            self._flights.land(keys)
            self.parked.add(task)
            self._due[task] = time.monotonic() + LEASED_POLL_SECONDS
        else:
            self._taken[task] = keys
            return True
        return False

    def _came_meanwhile(self, task: Task, missing: Sequence[int]) -> bool:
        """Whether another run made one of these calls after it was looked for and before its flight was taken."""
        for index in missing:
            row = self._memo.row_at_hand(task.calls[index].key)
            if row is not None and row != task.rows[index]:
                return True
        return False

    def _is_long(self, task: Task) -> bool:
        seconds = self._memo.seconds(task.node.spec.type)
        return task.node.spec.resource == "gpu" or (seconds is not None and seconds[1] > LONG_SECONDS)

    def release(self, task: Task) -> None:
        """Let others have the keys that a task took. Those of its other calls may be somebody else's."""
        keys = self._taken.pop(task)
        self._memo.release(keys)
        self._flights.land(keys)

    def poll(self) -> None:
        """Look again at tasks that wait for another process."""
        for task in [task for task, due in self._due.items() if due <= time.monotonic()]:
            del self._due[task]
            self._unpark(task)

    def _unpark(self, task: Task) -> None:
        self.parked.discard(task)
        self._look_again(task)
