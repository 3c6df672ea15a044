"""Digests of whole files, computed in the background: one thread of the lowest priority, begun a moment after use.

They say later, when only the time of a file moved, whether it is what it was, and they are what pictures name their
models by. What is not finished when the store closes is begun again when the file is used next.
"""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from blake3 import blake3

from engine.fingerprints import FileRecord, chunks

DELAY = 2.0
"""Seconds that a file waits: whoever asked for it is about to read it, and a short process is over by then."""

LOWEST = 19


class Digester:
    """Computes what ``FileRecord.whole`` lacks; ``keep`` gets each record with the digest.

    ``known`` returns the record that a path has now: another process may have been here.
    """

    def __init__(self, known: Callable[[str], FileRecord | None], keep: Callable[[FileRecord, str], None]) -> None:
        self._known = known
        self._keep = keep
        self._seen: set[FileRecord] = set()
        self._queue: deque[FileRecord] = deque()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def want(self, record: FileRecord) -> None:
        """Have a file's digest computed, once per state of the file."""
        with self._lock:
            if record in self._seen or self._stop.is_set():
                return
            self._seen.add(record)
            self._queue.append(record)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="loomis-digests", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Stop within a read, and end the thread."""
        with self._lock:
            self._stop.set()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        if sys.platform == "linux":  # where the priority of a thread is its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST)
        while not self._stop.wait(DELAY) and (record := self._next()) is not None:
            now = self._known(record.path)
            whole = self._digest(record) if now == record else None
            if whole is not None:
                self._keep(record, whole)

    def _next(self) -> FileRecord | None:
        with self._lock:
            if not self._queue:
                self._thread = None
                return None
            return self._queue.popleft()

    def _digest(self, record: FileRecord) -> str | None:
        """Return blake3 of a file; None where it is gone, is not what was recorded, or time is up."""
        hasher = blake3()
        try:
            with Path(record.path).open("rb") as file:
                for chunk in chunks(file):
                    if self._stop.is_set():
                        return None
                    hasher.update(chunk)
                state = os.fstat(file.fileno())
        except OSError:
            return None
        same = (state.st_size, state.st_mtime_ns, state.st_ino) == (record.size, record.mtime_ns, record.inode)
        return hasher.hexdigest() if same else None
