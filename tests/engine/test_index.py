import sqlite3

import pytest

from engine import index as index_module
from engine.errors import StoreError
from engine.fingerprints import FileRecord, FileTable
from engine.index import Index
from engine.names import Name, NameTable


def add_row(index, key, size=10):
    with index.transaction() as db:
        db.execute("INSERT INTO rows VALUES (?, 'T', x'', ?, 0, 0)", (key, size))


def totals(index):
    return index.read("SELECT rows, bytes FROM totals")[0]


def test_totals_follow_every_change(tmp_path):
    index = Index(tmp_path / "index.db")
    add_row(index, b"a", 10)
    add_row(index, b"b", 20)
    with index.transaction() as db:
        db.execute("INSERT INTO objects VALUES (x'00', 'T', NULL, 100, 0, 0, NULL)")
    assert totals(index) == (2, 130)
    with index.transaction() as db:
        db.execute("UPDATE rows SET size = 5 WHERE key = ?", (b"a",))
        db.execute("UPDATE objects SET size = 50")
        db.execute("DELETE FROM rows WHERE key = ?", (b"b",))
    assert totals(index) == (1, 55)
    index.close()


def test_a_transaction_that_fails_changes_nothing(tmp_path):
    index = Index(tmp_path / "index.db")
    with pytest.raises(ZeroDivisionError), index.transaction() as db:
        db.execute("INSERT INTO rows VALUES (x'00', 'T', x'', 1, 0, 0)")
        raise ZeroDivisionError
    assert totals(index) == (0, 0)
    index.close()


def test_it_stays_when_it_is_opened_again(tmp_path):
    first = Index(tmp_path / "index.db")
    add_row(first, b"a")
    second = Index(tmp_path / "index.db", on_begin=lambda: pytest.fail("began anew"))
    assert totals(second) == (1, 10)
    first.close()
    second.close()


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_moved_aside(tmp_path, content):
    path = tmp_path / "index.db"
    path.write_bytes(content)
    began = []
    index = Index(path, on_begin=lambda: began.append(True))
    add_row(index, b"a")
    assert totals(index) == (1, 10) and began == [True]
    assert not content or (tmp_path / "index.db.damaged").read_bytes() == content
    index.close()


def test_damage_found_later_begins_a_new_index(tmp_path):
    path = tmp_path / "index.db"
    index = Index(path)
    for number in range(500):
        add_row(index, number.to_bytes(4))
    index.close()
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(data)
    index = Index(path)
    assert index.read("SELECT * FROM rows WHERE key = ?", (b"\0\0\0\1",)) == []
    assert totals(index) == (0, 0)
    index.close()


def test_damage_found_while_writing_is_told_once(tmp_path):
    path = tmp_path / "index.db"
    index = Index(path)
    for number in range(500):
        add_row(index, number.to_bytes(4))
    index.close()
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(data)
    index = Index(path)
    with pytest.raises(sqlite3.DatabaseError):
        add_row(index, b"new")
    add_row(index, b"new")
    assert totals(index) == (1, 10)
    index.close()


def test_an_older_schema_is_brought_up_to_date(tmp_path, monkeypatch):
    index = Index(tmp_path / "index.db")
    add_row(index, b"a")
    index.close()
    scripts = (*index_module.MIGRATIONS, "ALTER TABLE rows ADD COLUMN colour TEXT;\nUPDATE rows SET colour = 'red';\n")
    monkeypatch.setattr(index_module, "MIGRATIONS", scripts)
    index = Index(tmp_path / "index.db", on_begin=lambda: pytest.fail("began anew"))
    assert index.read("SELECT key, colour FROM rows") == [(b"a", "red")]
    index.close()
    monkeypatch.setattr(index_module, "MIGRATIONS", scripts[:-1])
    with pytest.raises(StoreError, match="newer"):
        Index(tmp_path / "index.db")


def test_a_store_of_the_first_version_keeps_its_names_and_files(tmp_path, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(index_module, "MIGRATIONS", index_module.MIGRATIONS[:1])
        index = Index(tmp_path / "index.db")
        with index.transaction() as db:
            db.execute("INSERT INTO names VALUES (x'00', 0, '/out', 'a.png')")
            db.execute("INSERT INTO files VALUES ('/a', 1, 2, 3, 's', NULL, 'f')")
        index.close()
    index = Index(tmp_path / "index.db", on_begin=lambda: pytest.fail("began anew"))
    assert NameTable(index, lambda: 0.0).reserved(b"\0", 0, "/out") == Name("a.png")
    assert FileTable(index, lambda: 0.0).known_file("/a") == FileRecord("/a", 1, 2, 3, "s", None, "f")
    index.close()


def test_without_a_path_it_lives_in_memory():
    one, other = Index(None), Index(None)
    add_row(one, b"a")
    assert totals(one) == (1, 10) and totals(other) == (0, 0)
    one.close()
    other.close()
