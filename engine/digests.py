"""What a store knows of files, and digests of whole files, computed in the background.

One thread of the lowest priority computes them, begun a moment after use.

They say later, when only the time of a file moved, whether it is what it was, and they are what pictures name their
models by. What is not finished when the store closes is begun again when the file is used next.
"""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from blake3 import blake3

from engine.fingerprints import FileRecord, FileTable, chunks
from engine.index import DISK_ERRORS, Index

T = TypeVar("T")

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


class FileRecords:
    """What is known of files, told to every process on the same index.

    When the index can't be used, ``failed`` is told and nothing is known. With ``digest``, what is not known of all
    bytes of a file that is asked for is found out in the background.
    """

    def __init__(
        self, index: Index, clock: Callable[[], float], failed: Callable[[Exception], None], *, digest: bool
    ) -> None:
        self._table = FileTable(index, clock)
        self._failed = failed
        self._digester = Digester(self.known_file, self.keep_whole) if digest else None

    def known_file(self, path: str) -> FileRecord | None:
        """Return what is known of a file."""
        record = self._guarded(lambda: self._table.known_file(path), None)
        self._want(record)
        return record

    def keep_file(self, record: FileRecord) -> None:
        """Remember what is known of a file."""
        self._guarded(lambda: self._table.keep_file(record), None)
        self._want(record)

    def keep_whole(self, record: FileRecord, whole: str) -> None:
        """Remember the digest of all bytes of a file, unless its record is another by now."""
        self._guarded(lambda: self._table.keep_whole(record, whole), None)

    def paths_of(self, fingerprint: str) -> list[str]:
        """Return the paths where a file with this fingerprint was last seen."""
        return self._guarded(lambda: self._table.paths_of(fingerprint), [])

    def close(self) -> None:
        """End the thread."""
        if self._digester is not None:
            self._digester.close()

    def _want(self, record: FileRecord | None) -> None:
        if self._digester is not None and record is not None and record.whole is None:
            self._digester.want(record)

    def _guarded(self, action: Callable[[], T], otherwise: T) -> T:
        try:
            return action()
        except DISK_ERRORS as error:
            self._failed(error)
            return otherwise
