"""The thread that writes results to the disk, in groups, so that no node waits for it."""

import threading
from collections.abc import Callable, Sequence

from engine.disk import Entry
from engine.memory import Cached
from engine.rows import Row

DELAY = 0.05
"""Seconds that a result waits for others at most."""


class Writer:
    """Queues entries and hands them to ``commit`` in groups, from one thread.

    What waits is found in ``rows`` and ``values`` until it is written. When more than ``budget`` bytes wait because
    the disk is slow, further values are left out; their rows are still written. ``beat`` is called now and then, when
    ``interval`` says so. What any of these raises is told to ``failed``; the thread goes on.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Entry]], None],
        budget: int,
        beat: Callable[[], None],
        interval: Callable[[], float | None],
        failed: Callable[[Exception], None],
    ) -> None:
        self.rows: dict[bytes, Row] = {}
        self.values: dict[bytes, Cached] = {}
        self._commit = commit
        self._budget = budget
        self._beat = beat
        self._interval = interval
        self._failed = failed
        self._after: list[Callable[[], None]] = []
        self._queue: list[Entry] = []
        self._waiting_bytes = 0
        self._urgent = False
        self._busy = False
        self._closing = False
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, entry: Entry, values: dict[bytes, Cached], *, urgent: bool) -> None:
        """Queue a result; ``urgent`` ones do not wait for others."""
        with self._condition:
            nbytes = sum([packed.nbytes for _, packed in entry.values])
            if self._waiting_bytes and self._waiting_bytes + nbytes > self._budget:
                entry = Entry(entry.key, entry.type, entry.row, entry.body, ())
                values, nbytes = {}, 0
            self._waiting_bytes += nbytes
            self.rows[entry.key] = entry.row
            self.values.update(values)
            self._queue.append(entry)
            if urgent and not self._urgent:
                self._urgent = True
                self._condition.notify_all()
            elif len(self._queue) == 1:
                self._condition.notify_all()
        self.start()

    def start(self) -> None:
        """Start the thread, or wake it so that it asks for the interval again."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="loomis-store", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Have the thread look at ``interval`` again."""
        self.start()
        with self._condition:
            self._condition.notify_all()

    def afterwards(self, action: Callable[[], None]) -> None:
        """Have the thread call ``action`` when everything queued so far was handed to ``commit``, which is soon."""
        with self._condition:
            self._after.append(action)
            self._urgent = True
            self._condition.notify_all()
        self.start()

    def flush(self) -> None:
        """Return when everything queued so far was handed to ``commit``."""
        with self._condition:
            self._urgent = True
            self._condition.notify_all()
            self._condition.wait_for(lambda: not (self._queue or self._after or self._busy))
            self._urgent = False

    def close(self) -> None:
        """Write what is queued and end the thread."""
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while self._write(*self._next_batch()) or not self._closing:
            self._guarded(self._beat)

    def _write(self, batch: Sequence[Entry], after: Sequence[Callable[[], None]]) -> bool:
        """Write a group, if there is one. The group must not outlive this: its values may be large."""
        if batch:
            self._guarded(lambda: self._commit(batch))
        for action in after:
            self._guarded(action)
        self._forget(batch)
        return bool(batch)

    def _guarded(self, action: Callable[[], None]) -> None:
        """Do something that may cost remembering, never this thread."""
        try:
            action()
        except Exception as error:
            self._failed(error)

    def _next_batch(self) -> tuple[list[Entry], list[Callable[[], None]]]:
        with self._condition:
            if not (self._queue or self._after or self._closing):
                self._condition.wait(self._interval())
            if self._queue:
                self._condition.wait_for(lambda: self._urgent or self._closing, DELAY)
            batch, self._queue = self._queue, []
            after, self._after = self._after, []
            self._busy = bool(batch or after)
            self._urgent = False
            return batch, after

    def _forget(self, batch: Sequence[Entry]) -> None:
        with self._condition:
            for entry in batch:
                if self.rows.get(entry.key) is entry.row:
                    del self.rows[entry.key]
                for digest, packed in entry.values:
                    self._waiting_bytes -= packed.nbytes
                    self.values.pop(digest, None)
            self._busy = False
            self._condition.notify_all()
