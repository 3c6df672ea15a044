import os

import pytest

from engine.index import Index
from engine.names import Names, NameTable, Stamp


@pytest.fixture
def clock():
    return [1e9]


@pytest.fixture
def names(tmp_path, clock):
    index = Index(tmp_path / "index.db")
    yield NameTable(index, lambda: clock[0])
    index.close()


def numbered(attempt):
    return f"portrait_{attempt:05}.png"


def test_a_name_stays_with_its_key(names):
    assert names.reserved(b"key", 0, "/out") is None
    assert names.reserve(b"key", 0, "/out", numbered).path == "portrait_00000.png"
    assert names.reserve(b"key", 0, "/out", lambda attempt: pytest.fail("asked again")).path == "portrait_00000.png"
    assert names.reserved(b"key", 0, "/out").path == "portrait_00000.png"


def test_each_key_slot_and_folder_gets_its_own(names):
    assert names.reserve(b"key", 0, "/out", numbered).path == "portrait_00000.png"
    assert names.reserve(b"key", 1, "/out", numbered).path == "portrait_00001.png"
    assert names.reserve(b"other", 0, "/out", numbered).path == "portrait_00002.png"
    assert names.reserve(b"key", 0, "/elsewhere", numbered).path == "portrait_00000.png"


def test_a_maker_that_fails_reserves_nothing(names):
    with pytest.raises(ZeroDivisionError):
        names.reserve(b"key", 0, "/out", lambda attempt: 1 // 0)
    assert names.reserved(b"key", 0, "/out") is None


def test_a_name_that_is_taken_is_given_up(names):
    first = names.reserve(b"key", 0, "/out", numbered)
    names.stamp(b"key", 0, "/out", Stamp(1, 2, b"d"))
    assert names.reserved(b"key", 0, "/out") == (first.path, (1, 2, b"d"))
    assert names.reserve(b"key", 0, "/out", numbered, taken="another") == (first.path, (1, 2, b"d"))
    second = names.reserve(b"key", 0, "/out", lambda attempt: numbered(attempt + 1), taken=first.path)
    assert second == ("portrait_00001.png", None) == names.reserved(b"key", 0, "/out")


def test_a_stamp_fits_the_bytes_it_was_made_of(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    stamp = Stamp.of(path, b"one")
    assert stamp.fits(path)
    os.utime(path, ns=(0, 0))
    assert stamp.fits(path)
    for other in (b"two", b"three"):
        path.write_bytes(other)
        os.utime(path, ns=(0, 0))
        assert not stamp.fits(path)
    path.unlink()
    assert not stamp.fits(path)


def test_names_have_a_bound_and_those_of_files_that_are_there_stay(names, tmp_path, clock, monkeypatch):
    monkeypatch.setattr("engine.names.MAX_NAMES", 40)
    monkeypatch.setattr("engine.bounds.EVERY", 10)
    for number in range(50):
        clock[0] += 1
        names.reserve(b"%d" % number, 0, str(tmp_path), numbered)
        if number < 10:
            (tmp_path / numbered(number)).touch()
    kept = [number for number in range(50) if names.reserved(b"%d" % number, 0, str(tmp_path))]
    assert len(kept) <= 40 and kept[:10] == list(range(10)) and kept[-1] == 49 and 10 not in kept


def test_a_name_that_is_used_is_not_the_oldest(names, clock):
    names.reserve(b"key", 0, "/out", numbered)
    clock[0] += 1e6
    names.reserved(b"key", 0, "/out")
    assert names._index.read("SELECT used FROM names") == [(clock[0],)]


def test_where_the_index_can_not_be_written_names_are_kept_in_memory(tmp_path, clock):
    index, failed = Index(tmp_path / "index.db"), []
    names = Names(index, lambda: clock[0], failed.append)
    old = names.reserve(b"old", 0, "/out", numbered)
    index._writer.execute("PRAGMA query_only = TRUE")
    clock[0] += 1e6
    assert names.reserved(b"old", 0, "/out") == old and failed == []
    new = names.reserve(b"new", 0, "/out", lambda attempt: f"{attempt}.png")
    names.stamp(b"new", 0, "/out", Stamp(1, 2, b"d"))
    assert names.reserved(b"new", 0, "/out") == (new.path, (1, 2, b"d")) and len(failed) == 2
    index.close()
    assert names.reserved(b"old", 0, "/out") is None and len(failed) == 3
