"""What a worker has to say, sent in groups so that many short jobs cost few messages."""

import threading
import time
from collections.abc import Callable, Sequence

from server.workers.contract import Progressed, Report

GATHER_SECONDS = 0.002
"""How long the first of a group waits for others."""


class Outbox:
    """Takes reports from any thread and hands them to ``send`` in order, from a thread of its own."""

    def __init__(self, send: Callable[[Sequence[Report]], None]) -> None:
        self._send = send
        self._waiting: list[Report] = []
        self._condition = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="loomis-outbox", daemon=True)
        self._thread.start()

    def add(self, report: Report) -> None:
        """Send a report soon. Of a node's progress that waits, the newest is enough."""
        with self._condition:
            if self._waiting and _supersedes(report, self._waiting[-1]):
                self._waiting[-1] = report
                return
            self._waiting.append(report)
            if len(self._waiting) == 1:
                self._condition.notify()

    def close(self) -> None:
        """Send what waits and end the thread."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        while group := self._next():
            self._send(group)

    def _next(self) -> list[Report]:
        with self._condition:
            self._condition.wait_for(lambda: self._waiting or self._closing)
        if not self._closing:
            time.sleep(GATHER_SECONDS)
        with self._condition:
            group, self._waiting = self._waiting, []
            return group


def _supersedes(new: Report, old: Report) -> bool:
    return isinstance(new, Progressed) and isinstance(old, Progressed) and (new.job, new.node) == (old.job, old.node)
