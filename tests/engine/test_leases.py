import subprocess
import sys

import pytest

from engine.index import Index
from engine.leases import Leases


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def leases(tmp_path, clock):
    index = Index(tmp_path / "index.db")
    yield Leases(index, clock)
    index.close()


def owner(leases, key):
    """Return who holds a key: whoever has it, or nobody, if a stranger could take it."""
    found = leases._index.read("SELECT owner, process, expires FROM leases WHERE key = ?", (key,))
    return None if not found or leases._is_over(*found[0][1:]) else found[0][0]


def test_one_owner_at_a_time(leases):
    assert leases.take([b"key"], "one", 10) and leases.take([b"key"], "one", 10)
    assert not leases.take([b"key"], "other", 10)
    assert owner(leases, b"key") == "one"
    leases.release([b"key"])
    assert owner(leases, b"key") == "one"  # it was taken twice
    leases.release([b"key"])
    assert owner(leases, b"key") is None
    assert leases.take([b"key"], "other", 10)


def test_several_keys_are_taken_all_or_none(leases):
    assert leases.take([b"b"], "other", 10)
    assert not leases.take([b"a", b"b", b"c"], "one", 10)
    assert owner(leases, b"a") is owner(leases, b"c") is None
    leases.release([b"b", b"never taken"])
    assert leases.take([b"a", b"b", b"c"], "one", 10)
    assert not leases.take([b"c"], "other", 10)
    leases.release([b"a", b"b", b"c"])
    assert leases.heartbeat() is None


def test_a_lease_runs_out_unless_it_is_renewed(leases, clock):
    leases.take([b"key"], "one", 9)
    assert leases.heartbeat() == 3
    for _ in range(5):
        clock.now += 6
        leases.renew()
    assert owner(leases, b"key") == "one"
    clock.now += 9
    assert owner(leases, b"key") is None
    assert leases.take([b"key"], "other", 9)


def test_an_owner_that_lost_its_lease_does_not_take_the_other_s(leases, clock, tmp_path):
    index = Index(tmp_path / "index.db")
    rival = Leases(index, clock)
    leases.take([b"key"], "one", 5)
    clock.now += 6
    assert rival.take([b"key"], "rival", 60)
    leases.renew()
    assert owner(leases, b"key") == "rival"
    index.close()


def test_release_all_gives_back_everything(leases):
    for key in (b"a", b"b"):
        leases.take([key], "one", 10)
    leases.release_all()
    assert owner(leases, b"a") is owner(leases, b"b") is None and leases.heartbeat() is None


SCRIPT = """
import sys, time
from pathlib import Path
from engine.index import Index
from engine.leases import Leases
assert Leases(Index(Path(sys.argv[1])), time.time).take([b"key"], "the dead", 1e9)
"""


def test_the_lease_of_a_dead_process_is_free_at_once(leases, tmp_path):
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / "index.db")], check=True)
    assert owner(leases, b"key") is None
    assert leases.take([b"key"], "the living", 10)
