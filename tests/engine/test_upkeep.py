import numpy as np
import pytest

from engine.disk import Disk, Entry
from engine.rows import Row, row_to_bytes
from engine.upkeep import clear, totals, type_stats, verify
from engine.values import pack

LARGE = np.arange(5000.0)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def disk(tmp_path):
    disk = Disk(tmp_path, 2**30, Clock())
    for type, values in {"Sample": (LARGE, "a"), "Save": ("b",)}.items():
        disk.commit([entry(value, type) for value in values], {})
        disk._clock.now += 100
    yield disk
    disk.close()


def entry(value, type):
    packed = pack(value)
    row = Row(((packed.digest,),), cost=1.0)
    return Entry(packed.digest, type, row, row_to_bytes(packed.digest, row), ((packed.digest, packed),))


def digest(value):
    return pack(value).digest


def test_what_is_here_by_node_type(disk):
    found = type_stats(disk)
    assert {type: (each.rows, each.values) for type, each in found.items()} == {"Sample": (2, 2), "Save": (1, 1)}
    rows, values, nbytes = totals(disk)
    assert (rows, values) == (3, 3) and nbytes == sum(each.nbytes for each in found.values()) > LARGE.nbytes


def test_a_sound_store_is_clean(disk):
    report = verify(disk)
    assert report.clean and report.checked == 3 and report.nbytes > LARGE.nbytes


def test_damaged_missing_and_stray_files_are_told_and_dropped(disk):
    other = np.arange(6000.0)
    disk.commit([entry(other, "Sample")], {})
    path = disk.objects.path(digest(LARGE))
    path.write_bytes(b"cut")
    disk.objects.drop(digest(other))
    stray = path.with_name("f" * 64)
    stray.write_bytes(b"stray")
    part = path.with_name(f"{path.name}.1.part")
    part.write_bytes(b"half")
    report = verify(disk)
    assert report.damaged == (digest(LARGE).hex(),) and report.missing == (digest(other).hex(),)
    assert set(report.strays) == {stray.name, part.name} and not report.clean
    assert verify(disk).clean and not disk.has(digest(LARGE)) and list(disk.objects.files()) == []


@pytest.mark.parametrize(
    ("before", "type", "stay"),
    [(None, None, []), (1050.0, None, ["b"]), (None, "Save", [LARGE, "a"]), (1050.0, "Save", [LARGE, "a", "b"])],
)
def test_clearing(disk, before, type, stay):
    freed = clear(disk, before=before, type=type)
    left = [value for value in (LARGE, "a", "b") if disk.has(digest(value))]
    assert [digest(value) for value in left] == [digest(value) for value in stay]
    assert [bool(disk.row(digest(value))) for value in (LARGE, "a", "b")].count(True) == len(stay)
    assert len(list(disk.objects.files())) == any(value is LARGE for value in stay)
    assert freed > 0 or len(stay) == 3
    assert verify(disk).clean
