"""The database of jobs: one SQLite file in WAL mode, with a version and the steps that lead to it."""

import sqlite3
from pathlib import Path

from engine.errors import StoreError

MIGRATIONS = (
    """
    CREATE TABLE jobs (
        id TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL,
        priority INTEGER NOT NULL,
        number REAL NOT NULL,
        created REAL NOT NULL,
        targets TEXT NOT NULL,
        models TEXT NOT NULL,
        began REAL,
        ended REAL,
        deadline REAL,
        attempts INTEGER NOT NULL,
        deaths INTEGER NOT NULL,
        labels TEXT NOT NULL,
        owner TEXT NOT NULL,
        client TEXT,
        worker TEXT,
        faults TEXT NOT NULL,
        outputs TEXT NOT NULL,
        error TEXT
    );
    CREATE INDEX jobs_by_state ON jobs (state, created);
    CREATE INDEX jobs_by_start ON jobs (created);
    CREATE INDEX jobs_by_end ON jobs (ended);
    CREATE TABLE submissions (job TEXT PRIMARY KEY, digest BLOB NOT NULL, body BLOB NOT NULL);
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY, job TEXT, node TEXT, time REAL NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL
    );
    CREATE INDEX events_by_job ON events (job, seq);
    CREATE TABLE facts (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
    """,
    """
    CREATE TABLE batches (
        id TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL,
        created REAL NOT NULL,
        ended REAL,
        digest BLOB NOT NULL,
        body BLOB NOT NULL,
        told TEXT NOT NULL
    );
    CREATE INDEX batches_by_state ON batches (state);
    """,
    """
    CREATE TABLE sessions (id TEXT PRIMARY KEY, changed REAL NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL);
    CREATE INDEX sessions_by_change ON sessions (changed);
    """,
    """
    ALTER TABLE sessions ADD COLUMN nbytes INTEGER NOT NULL DEFAULT 0;
    UPDATE sessions SET nbytes = length(body);
    DROP INDEX sessions_by_change;
    CREATE INDEX sessions_by_change ON sessions (changed, nbytes, id);
    """,
)
"""Step by step from an empty file. A step that was released never changes; a new one is added at the end."""

CACHE_KIB = 512
"""Of pages that a connection keeps. They fill up in the first thousand jobs; the system keeps the file in its own."""


def connect(path: Path) -> sqlite3.Connection:
    """Open the database. Transactions are begun and committed by hand; any thread may use it, one at a time.

    A commit is on disk in the sense that no death of the process loses it (WAL, ``synchronous = NORMAL``).
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA cache_size = {-CACHE_KIB}")
    return connection


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Take the database to the newest version, all steps or none.

    Raises:
        StoreError: it was written by a newer Loomis.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StoreError(
            f"The jobs in {path} were written by a newer Loomis.",
            got=f"version {version}",
            expected=f"version {len(MIGRATIONS)} or older",
            hint="Upgrade Loomis, or choose another folder with --data.",
        )
    if version == len(MIGRATIONS):
        return
    steps = "".join(MIGRATIONS[version:])
    connection.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {len(MIGRATIONS)}; COMMIT;")
