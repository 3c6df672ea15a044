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


def test_one_owner_at_a_time(leases):
    assert leases.take(b"key", "one", 10) and leases.take(b"key", "one", 10)
    assert not leases.take(b"key", "other", 10)
    assert leases.owner(b"key") == "one"
    leases.release(b"key")
    assert leases.owner(b"key") is None
    assert leases.take(b"key", "other", 10)


def test_a_lease_runs_out_unless_it_is_renewed(leases, clock):
    leases.take(b"key", "one", 9)
    assert leases.heartbeat() == 3
    for _ in range(5):
        clock.now += 6
        leases.renew()
    assert leases.owner(b"key") == "one"
    clock.now += 9
    assert leases.owner(b"key") is None
    assert leases.take(b"key", "other", 9)


def test_an_owner_that_lost_its_lease_does_not_take_the_other_s(leases, clock, tmp_path):
    index = Index(tmp_path / "index.db")
    rival = Leases(index, clock)
    leases.take(b"key", "one", 5)
    clock.now += 6
    assert rival.take(b"key", "rival", 60)
    leases.renew()
    assert leases.owner(b"key") == "rival"
    index.close()


def test_release_all_gives_back_everything(leases):
    for key in (b"a", b"b"):
        leases.take(key, "one", 10)
    leases.release_all()
    assert leases.owner(b"a") is leases.owner(b"b") is None and leases.heartbeat() is None


SCRIPT = """
import sys, time
from pathlib import Path
from engine.index import Index
from engine.leases import Leases
assert Leases(Index(Path(sys.argv[1])), time.time).take(b"key", "the dead", 1e9)
"""


def test_the_lease_of_a_dead_process_is_free_at_once(leases, tmp_path):
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / "index.db")], check=True)
    assert leases.owner(b"key") is None
    assert leases.take(b"key", "the living", 10)
