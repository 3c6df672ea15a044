"""One server per data folder: the second is refused, and told who is there."""

import os
import socket
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.errors import StoreError


class FolderLock:
    """Holds a folder for this process until it is closed or the process ends, however it ends.

    The lock is SQLite's own: a write transaction that is never committed. Others can read who holds it.
    """

    def __init__(self, folder: Path, address: str) -> None:
        """Take the folder.

        Raises:
            StoreError: another process holds it, or it can't be written.
        """
        path = folder / "server.lock"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=0)
            try:
                self._take(address)
            except sqlite3.OperationalError as error:
                if "locked" in str(error):
                    raise self._refusal(folder) from None
                raise
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"The folder {folder} can't be used: {error}.", got=str(folder), hint="Choose another with --data."
            ) from None

    def _take(self, address: str) -> None:
        execute = self._connection.execute
        execute("CREATE TABLE IF NOT EXISTS holder (id INTEGER PRIMARY KEY, host TEXT, pid INTEGER, address TEXT)")
        holder = (socket.gethostname(), os.getpid(), address)
        execute("BEGIN IMMEDIATE")
        execute("INSERT OR REPLACE INTO holder VALUES (1, ?, ?, ?)", holder)
        execute("COMMIT")
        execute("BEGIN IMMEDIATE")

    def _refusal(self, folder: Path) -> StoreError:
        found = self._connection.execute("SELECT host, pid, address FROM holder WHERE id = 1").fetchone()
        self._connection.close()
        host, pid, address = found or ("unknown", 0, "unknown")
        return StoreError(
            f"Another server works in {folder}: process {pid} on {host}, at {address}.",
            got=str(folder),
            expected="a folder of its own for each server",
            hint=f"Give your work to {address}, or end that server. Another needs a --data and a --port of its own.",
        )

    def close(self) -> None:
        """Let go of the folder."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
