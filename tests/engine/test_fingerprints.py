import os

import numpy as np
import pytest
from blake3 import blake3
from safetensors.numpy import save_file

from engine.errors import FileError
from engine.fingerprints import SMALL, FileTable, fingerprint, whole_digest
from engine.index import Index

LARGE = SMALL + 5 * 2**20
UNSEEN = 2**20 + 300_000
"""A byte that the sample of a large file leaves out: after the head and between two blocks."""


@pytest.fixture
def clock():
    return [1e9]


@pytest.fixture
def table(clock):
    index = Index(None)
    yield FileTable(index, lambda: clock[0])
    index.close()


@pytest.fixture
def large(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(np.random.default_rng(1).bytes(LARGE))
    return path


def change(path, place, value=b"\xaa\x55\xaa"):
    with path.open("r+b") as file:
        file.seek(place)
        file.write(value)
    touch(path)


def touch(path):
    state = path.stat()
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))


def test_a_small_file_is_hashed_whole(tmp_path, table):
    path = tmp_path / "picture.png"
    path.write_bytes(b"content")
    found = fingerprint(path, table)
    assert found == blake3(b"content").hexdigest() == whole_digest(path, table)
    touch(path)
    assert fingerprint(path, table) == found
    path.write_bytes(b"CONTENT")
    touch(path)
    assert fingerprint(path, table) != found


def test_a_file_that_stands_still_is_not_read_again(large, table, monkeypatch):
    found = fingerprint(large, table)
    monkeypatch.setattr("engine.fingerprints._sample", lambda *_: pytest.fail("read again"))
    assert fingerprint(large, table) == found
    assert table.paths_of(found) == [str(large.resolve())]


@pytest.mark.parametrize("place", [0, 2**20 - 4, LARGE // 2, LARGE - 4])
def test_a_change_in_the_sample_of_a_large_file_shows(large, table, place):
    before = fingerprint(large, table)
    block = (LARGE - 65536) * 32 // 63 if place == LARGE // 2 else place
    change(large, block)
    assert fingerprint(large, table) != before


def test_a_copy_of_a_large_file_has_its_fingerprint(large, table, tmp_path):
    copy = tmp_path / "copy.bin"
    copy.write_bytes(large.read_bytes())
    assert fingerprint(copy, table) == fingerprint(large, table)
    assert sorted(table.paths_of(fingerprint(copy, table))) == sorted([str(copy.resolve()), str(large.resolve())])


def test_when_only_the_time_moved_the_whole_file_decides(large, table):
    before = fingerprint(large, table)
    whole = whole_digest(large, table)
    assert whole == blake3(large.read_bytes()).hexdigest() != before
    touch(large)
    assert fingerprint(large, table) == before
    change(large, UNSEEN)
    changed = fingerprint(large, table)
    assert changed == blake3(large.read_bytes()).hexdigest()
    touch(large)
    assert fingerprint(large, table) == changed


def test_when_the_whole_was_never_read_a_moved_time_is_a_new_file_once(large, table):
    before = fingerprint(large, table)
    touch(large)
    after = fingerprint(large, table)
    assert after != before
    touch(large)
    assert fingerprint(large, table) == after


def test_the_header_of_safetensors_is_read_whole(tmp_path, table):
    path = tmp_path / "model.safetensors"
    notes = {"training": "x" * 2**21}
    save_file({"weight": np.zeros(LARGE, np.uint8)}, path, metadata=notes)
    before = fingerprint(path, table)
    assert b"x" in path.read_bytes()[UNSEEN : UNSEEN + 3]
    change(path, UNSEEN)
    assert fingerprint(path, table) != before


def test_files_have_a_bound_and_those_that_are_there_stay(tmp_path, table, clock, monkeypatch):
    monkeypatch.setattr("engine.fingerprints.MAX_FILES", 40)
    monkeypatch.setattr("engine.bounds.EVERY", 10)
    paths = [tmp_path / f"{i:02}" for i in range(50)]
    for i, path in enumerate(paths):
        clock[0] += 1
        path.write_bytes(b"%d" % i)
        fingerprint(path, table)
        if i % 4:
            path.unlink()
    kept = [i for i, path in enumerate(paths) if table.known_file(str(path)) is not None]
    assert 36 <= len(kept) <= 40 and set(range(0, 50, 4)) <= set(kept)


def test_a_file_that_is_used_is_not_the_oldest(tmp_path, table, clock):
    (tmp_path / "a").write_bytes(b"a")
    fingerprint(tmp_path / "a", table)
    clock[0] += 1e6
    fingerprint(tmp_path / "a", table)
    assert table._index.read("SELECT used FROM files") == [(clock[0],)]


def test_a_file_that_is_not_there(tmp_path, table):
    with pytest.raises(FileError) as caught:
        fingerprint(tmp_path / "missing.safetensors", table)
    assert "missing.safetensors" in caught.value.message and caught.value.hint
    with pytest.raises(FileError):
        fingerprint(tmp_path, table)
