from pathlib import Path

import pytest

from engine.errors import StoreError
from server.jobs.database import MIGRATIONS, connect, migrate


def test_an_empty_file_gets_the_newest_version(tmp_path: Path):
    path = tmp_path / "jobs.sqlite"
    connection = connect(path)
    migrate(connection, path)
    migrate(connection, path)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_an_older_version_goes_on_from_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "jobs.sqlite"
    connection = connect(path)
    migrate(connection, path)
    connection.execute("INSERT INTO facts VALUES ('paused', 1)")
    monkeypatch.setattr("server.jobs.database.MIGRATIONS", (*MIGRATIONS, "ALTER TABLE jobs ADD COLUMN cost REAL;"))
    migrate(connection, path)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)
    assert "cost" in [row[1] for row in connection.execute("PRAGMA table_info(jobs)")]
    assert connection.execute("SELECT value FROM facts").fetchall() == [(1,)]
    connection.close()


def test_a_newer_version_is_refused_and_left_alone(tmp_path: Path):
    path = tmp_path / "jobs.sqlite"
    connection = connect(path)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(StoreError, match="newer Loomis"):
        migrate(connection, path)
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()
