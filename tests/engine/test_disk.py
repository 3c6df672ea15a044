import numpy as np
import pytest

from engine import disk as disk_module
from engine.disk import Disk, Entry, worth_a_file
from engine.rows import Row, row_to_bytes
from engine.values import pack, unpack


class Clock:
    now = 1e9

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def disk(tmp_path, clock):
    disk = Disk(tmp_path, 2**30, clock)
    yield disk
    disk.close()


def entry(name, value, cost=1.0, type="T"):
    packed = pack(value)
    row = Row(((packed.digest,),), cost=cost)
    return Entry(name, type, row, row_to_bytes(name, row), ((packed.digest, packed),))


def digest(value):
    return pack(value).digest


def folder_bytes(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and file.parent != folder)


def test_small_values_live_in_the_index_and_larger_in_files(disk):
    small, large = "text", np.arange(5000.0)
    disk.commit([entry(b"small", small), entry(b"large", large)], {})
    assert disk.row(b"small")[0].outputs == ((digest(small),),)
    assert [path.name for path in disk.objects.files()] == [digest(large).hex()]
    assert unpack(disk.read(digest(small))[0]) == small
    assert np.array_equal(unpack(disk.read(digest(large))[0]), large)
    assert disk.has(digest(small)) and disk.has(digest(large)) and not disk.has(digest("other"))


def test_what_is_quicker_to_compute_than_to_read_is_not_stored(disk):
    large, small = np.zeros(10**6, np.uint8), 5
    assert not worth_a_file(pack(large), 0.002) and worth_a_file(pack(large), 0.0025)
    disk.commit([entry(b"large", large, cost=0.002), entry(b"small", small, cost=0.0)], {})
    assert disk.row(b"large") and not disk.has(digest(large))
    assert disk.has(digest(small))


def test_the_same_value_is_stored_once(disk):
    value = np.arange(5000.0)
    disk.commit([entry(b"a", value), entry(b"b", value, cost=7.0)], {})
    assert len(list(disk.objects.files())) == 1
    assert disk.index.read("SELECT cost FROM objects") == [(7.0,)]


def test_a_file_that_vanished_is_written_again(disk):
    value = np.arange(5000.0)
    disk.commit([entry(b"a", value)], {})
    disk.objects.drop(digest(value))
    assert not disk.has(digest(value))
    disk.commit([entry(b"a", value)], {})
    assert disk.has(digest(value))


def test_many_rows_at_once(disk):
    names = [number.to_bytes(4) for number in range(1200)]
    disk.commit([entry(name, number) for number, name in enumerate(names)], {})
    found = {key: row for key, row, _ in disk.rows([*names, b"missing"])}
    assert found.keys() == set(names)
    assert found[names[7]].outputs == ((digest(7),),)


def test_the_limit_is_never_exceeded_not_even_for_a_moment(tmp_path, clock, monkeypatch):
    limit = 2**20
    disk = Disk(tmp_path, limit, clock)
    write = disk.objects.write

    def watched(digest, packed):
        write(digest, packed)
        assert folder_bytes(tmp_path) <= limit
        assert disk.index.read("SELECT bytes FROM totals")[0][0] <= limit

    monkeypatch.setattr(disk.objects, "write", watched)
    for number in range(60):
        clock.now += 1
        disk.commit([entry(number.to_bytes(4), np.full(50_000 + number, number, np.uint8))], {})
    last = np.full(50_059, 59, np.uint8)
    assert disk.has(digest(last)) and not disk.has(digest(np.full(50_000, 0, np.uint8)))
    assert all(disk.row(number.to_bytes(4)) for number in range(60))
    disk.close()


def test_cheap_values_go_before_expensive_ones(tmp_path, clock):
    disk = Disk(tmp_path, 2**20, clock)
    precious = np.full(100_000, 255, np.uint8)
    disk.commit([entry(b"precious", precious, cost=60.0)], {})
    for number in range(40):
        clock.now += 1
        disk.commit([entry(number.to_bytes(4), np.full(100_000, number, np.uint8), cost=0.5)], {})
    assert disk.has(digest(precious))
    disk.close()


def test_a_value_larger_than_the_limit_is_left_out_and_evicts_nothing(tmp_path, clock):
    disk = Disk(tmp_path, 2**20, clock)
    disk.commit([entry(b"kept", np.zeros(50_000))], {})
    disk.commit([entry(b"huge", np.zeros(10**6))], {})
    assert disk.has(digest(np.zeros(50_000))) and not disk.has(digest(np.zeros(10**6)))
    assert disk.row(b"huge")
    disk.close()


def test_rows_alone_stay_within_the_limit_too(tmp_path, clock):
    disk = Disk(tmp_path, 2**18, clock)
    for number in range(40):
        clock.now += 1
        disk.commit([entry((number * 100 + each).to_bytes(4), number * 100 + each) for each in range(100)], {})
        assert disk.index.read("SELECT bytes FROM totals")[0][0] <= 2**18
    assert disk.row((3999).to_bytes(4)) and not disk.row((0).to_bytes(4))
    disk.close()


def test_rows_have_a_bound_of_their_own(disk, clock, monkeypatch):
    monkeypatch.setattr(disk_module, "MAX_ROWS", 100)
    for number in range(300):
        clock.now += 1
        disk.commit([entry(number.to_bytes(4), number)], {})
        assert disk.index.read("SELECT rows FROM totals")[0][0] <= 100
    assert disk.row((299).to_bytes(4)) and not disk.row((0).to_bytes(4))


def test_last_uses_are_noted_with_the_next_group(disk, clock):
    disk.commit([entry(b"a", 1)], {})
    disk.commit([], {b"a": clock.now + 50, digest(1): clock.now + 60})
    assert disk.row(b"a")[1] == clock.now + 50
    assert disk.read(digest(1))[1] == clock.now + 60


def test_a_damaged_object_is_dropped(disk):
    value, text = np.arange(5000.0), "small"
    disk.commit([entry(b"a", value), entry(b"b", text)], {})
    path = disk.objects.path(digest(value))
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with disk.index.transaction() as db:
        db.execute("UPDATE objects SET inline = x'4c4d563100' WHERE digest = ?", (digest(text),))
        db.execute("UPDATE rows SET body = CAST(x'00' || body AS BLOB) WHERE key = ?", (b"b",))
    for each in (value, text):
        assert disk.read(digest(each)) is None and not disk.has(digest(each))
    assert not path.exists()
    assert disk.row(b"a") and disk.row(b"b") is None


@pytest.mark.parametrize(("writer", "age", "stays"), [("elsewhere/1/0", 0, True), ("elsewhere/1/0", 4000, False)])
def test_what_a_dead_process_was_writing_is_removed_when_the_store_opens(tmp_path, clock, disk, writer, age, stays):
    packed = pack(np.arange(5000.0))
    disk.objects.write(packed.digest, packed)
    with disk.index.transaction() as db:
        db.execute(disk_module.INSERT_FILE, (packed.digest, "T", 1, 1.0, clock.now - age, writer))
    assert not disk.has(packed.digest) and disk.read(packed.digest) is None
    Disk(tmp_path, 2**30, clock).close()
    assert disk.objects.exists(packed.digest) is stays
    assert bool(disk.index.read("SELECT 1 FROM objects")) is stays


def test_costs_of_a_type_are_the_latest(disk):
    disk.commit([entry(number.to_bytes(4), number, cost=float(number)) for number in range(10)], {})
    assert disk.costs("T", 3) == [9.0, 8.0, 7.0]
    assert disk.costs("Other", 3) == []
