"""The index of the store: one SQLite database, shared by several processes.

Reads go through one connection, writes through another, each behind a lock. Totals are kept by triggers, so that every
process sees the same bytes. A file that is not a database, or a damaged one, is moved aside and a new one begun.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from engine.errors import StoreError

BUSY_SECONDS = 30.0
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
DISK_ERRORS = (OSError, sqlite3.Error, TypeError, ValueError)
"""A damaged index may give anything where numbers or bytes should be, so the last two belong here."""

UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What reading a damaged file raises; the second comes from a message that quotes its bytes."""

MIGRATIONS = (
    """
CREATE TABLE rows (
    key BLOB PRIMARY KEY, type TEXT NOT NULL, body BLOB NOT NULL, size INTEGER NOT NULL, cost REAL NOT NULL,
    used REAL NOT NULL
);
CREATE INDEX rows_by_type ON rows (type);
CREATE TABLE objects (
    digest BLOB PRIMARY KEY, type TEXT NOT NULL, inline BLOB, size INTEGER NOT NULL, cost REAL NOT NULL,
    used REAL NOT NULL, writer TEXT
);
CREATE INDEX objects_being_written ON objects (writer) WHERE writer IS NOT NULL;
CREATE TABLE totals (rows INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO totals VALUES (0, 0);
CREATE TRIGGER row_in AFTER INSERT ON rows BEGIN UPDATE totals SET rows = rows + 1, bytes = bytes + new.size; END;
CREATE TRIGGER row_out AFTER DELETE ON rows BEGIN UPDATE totals SET rows = rows - 1, bytes = bytes - old.size; END;
CREATE TRIGGER row_moved AFTER UPDATE OF size ON rows WHEN new.size <> old.size
    BEGIN UPDATE totals SET bytes = bytes - old.size + new.size; END;
CREATE TRIGGER object_in AFTER INSERT ON objects BEGIN UPDATE totals SET bytes = bytes + new.size; END;
CREATE TRIGGER object_out AFTER DELETE ON objects BEGIN UPDATE totals SET bytes = bytes - old.size; END;
CREATE TRIGGER object_moved AFTER UPDATE OF size ON objects WHEN new.size <> old.size
    BEGIN UPDATE totals SET bytes = bytes - old.size + new.size; END;
CREATE TABLE leases (key BLOB PRIMARY KEY, owner TEXT NOT NULL, process TEXT NOT NULL, expires REAL NOT NULL);
CREATE TABLE names (
    key BLOB NOT NULL, slot INTEGER NOT NULL, folder TEXT NOT NULL, path TEXT NOT NULL,
    PRIMARY KEY (key, slot, folder), UNIQUE (folder, path)
);
CREATE TABLE files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL,
    sample TEXT NOT NULL, whole TEXT, fingerprint TEXT NOT NULL
);
CREATE INDEX files_by_fingerprint ON files (fingerprint);
""",
    """
ALTER TABLE names ADD COLUMN size INTEGER;
ALTER TABLE names ADD COLUMN mtime_ns INTEGER;
ALTER TABLE names ADD COLUMN digest BLOB;
ALTER TABLE names ADD COLUMN used REAL NOT NULL DEFAULT 0;
ALTER TABLE files ADD COLUMN used REAL NOT NULL DEFAULT 0;
""",
)
"""One script for each version of the schema. A new version adds a script; it never changes an old one."""


class Index:
    """A database with the tables above. Without a path it lives in memory, for this object alone.

    ``on_begin`` is called before a new database takes the place of none or of a damaged one.
    """

    def __init__(self, path: Path | None, on_begin: Callable[[], None] = lambda: None) -> None:
        self._path = path
        self._on_begin = on_begin
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock() if path else self._write_lock
        found = _inode(path)
        try:
            self._open()
        except UNREADABLE as error:
            if not is_damage(error):
                raise
            self._move_aside(found)
            self._open()

    def _open(self) -> None:
        self._writer = _connect(self._path)
        try:
            self._migrate()
            self._reader = _connect(self._path) if self._path else self._writer
        except BaseException:
            self._writer.close()
            raise
        self._inode = _inode(self._path)

    def _migrate(self) -> None:
        if self._version() == len(MIGRATIONS):
            return
        self._writer.execute("BEGIN IMMEDIATE")
        version = self._version()
        if version > len(MIGRATIONS):
            raise StoreError(
                "the store was written by a newer version", got=version, expected=len(MIGRATIONS), hint="Update Loomis."
            )
        if version == 0:
            self._on_begin()
        for script in MIGRATIONS[version:]:
            for statement in _statements(script):
                self._writer.execute(statement)
        self._writer.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        self._writer.execute("COMMIT")

    def _version(self) -> int:
        return int(self._writer.execute("PRAGMA user_version").fetchone()[0])

    def _move_aside(self, damaged: int) -> None:
        """Rename the database, unless another process already put a new one in its place."""
        if self._path is None or _inode(self._path) != damaged:
            return
        for suffix in ("-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            self._path.replace(self._path.with_name(f"{self._path.name}.damaged"))

    def _begin_anew(self) -> None:
        with self._write_lock, self._read_lock:
            self.close()
            self._move_aside(self._inode)
            self._open()

    def read(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query; none from a damaged database, which is then replaced."""
        try:
            with self._read_lock:
                return self._reader.execute(sql, values).fetchall()
        except UNREADABLE as error:
            if not is_damage(error):
                raise
        self._begin_anew()
        return []

    def version(self) -> int | None:
        """Return a number that is another one when somebody else has written since; None while this index is written.

        Only the connection that writes does not take its own writes for another's (SQLite, PRAGMA data_version).
        """
        if not self._write_lock.acquire(blocking=False):
            return None
        try:
            (version,) = self._writer.execute("PRAGMA data_version").fetchone()
        finally:
            self._write_lock.release()
        return int(version)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the writing connection inside a transaction. A damaged database is replaced and the error raised."""
        try:
            with self._write_lock, _transaction(self._writer):
                yield self._writer
        except UNREADABLE as error:
            if is_damage(error):
                self._begin_anew()
            raise

    def close(self) -> None:
        self._reader.close()
        self._writer.close()


def is_damage(error: Exception) -> bool:
    """Return whether the error says that the file itself is broken."""
    return isinstance(error, UnicodeDecodeError) or getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _inode(path: Path | None) -> int:
    return path.stat().st_ino if path and path.exists() else 0


def _connect(path: Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path or ":memory:", timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA journal_size_limit = 4194304")
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging. SQLite does not wait for a busy database here, so this does."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
