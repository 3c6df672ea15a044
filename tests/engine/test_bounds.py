"""The bound of the tables of names and files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import bounds
from engine.bounds import trim
from engine.index import Index

INSERT = "INSERT INTO names (key, slot, folder, path, used) VALUES (?, 0, ?, ?, ?)"


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path / "index.db")
    yield index
    index.close()


def fill(index: Index, folder: Path, count: int) -> None:
    with index.transaction() as db:
        db.executemany(INSERT, [(b"%d" % i, str(folder), f"{i}.png", float(i)) for i in range(count)])


def left(index: Index) -> list[int]:
    return [int(path[:-4]) for (path,) in index.read("SELECT path FROM names ORDER BY used")]


def cut(index: Index, most: int, rowid: int = 0) -> None:
    trim(index, "names", "folder || '/' || path", most, rowid)


def test_what_is_gone_from_the_disk_goes_first_then_the_oldest(index: Index, tmp_path: Path):
    fill(index, tmp_path, 20)
    for i in range(0, 20, 2):
        (tmp_path / f"{i}.png").touch()
    cut(index, 20)
    assert len(left(index)) == 20
    cut(index, 18)
    assert left(index) == [0, 2, 4, 6, *range(8, 20)]
    for i in range(0, 20, 2):
        (tmp_path / f"{i}.png").unlink()
    cut(index, 10)
    assert left(index) == list(range(11, 20))  # nine tenths of the bound


def test_it_is_counted_once_for_many(index: Index, tmp_path: Path):
    fill(index, tmp_path, 5)
    for rowid in (1, bounds.EVERY - 1, bounds.EVERY + 1):
        cut(index, 1, rowid)
    assert len(left(index)) == 5
    cut(index, 1, bounds.EVERY)
    assert left(index) == []


def test_an_index_that_can_not_be_written_or_read_keeps_what_it_has(index: Index, tmp_path: Path):
    fill(index, tmp_path, 5)
    index._writer.execute("PRAGMA query_only = TRUE")
    cut(index, 1)
    assert len(left(index)) == 5
