"""Processes that share a store, and processes that are killed while they write to it."""

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from engine.store import Store
from tests.acceptance.command import ROOT
from tests.acceptance.grind import CHAINS, COUNT, graph, opened
from tests.engine.words import recorded

GB = 2**30
TYPES = ("Short", "Announced", "Join", "Keep")
FILES = [f"keep-{index}_00001_.bin" for index in range(190, 200)]


def start(folder: Path, kind: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "tests.acceptance.grind", str(folder), kind], cwd=ROOT)


def computed(folder: Path) -> list[int]:
    """Return the numbers of the nodes that were computed in child processes, one for each time."""
    return [int(line) for log in folder.glob("log-*") for line in log.read_text().splitlines()]


def check(folder: Path) -> set[int]:
    """See that a store opens and verifies clean; return the numbers of the nodes whose row is committed."""
    with Store(folder / "store", memory_bytes=GB, disk_bytes=20 * GB) as store:
        report = store.verify()
        assert report.clean, report
        rows = [row for type in TYPES for row in store.recent.rows(type, COUNT)]
    return {row.note["trace"]["index"] for row in rows}


def finish(folder: Path, kind: str) -> set[int]:
    """Run the graph in this process; return the numbers of the nodes that ran."""
    log = folder / "finishing"
    with opened(folder, log) as engine:
        result, _ = recorded(engine, graph(kind))
        assert len(result.outputs) == 10
    assert sorted(file.name for file in (folder / "output").iterdir()) == FILES
    return {int(line) for line in log.read_text().splitlines()} if log.exists() else set()


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_two_processes_run_one_graph_on_one_store(tmp_path: Path, kind: str):
    children = [start(tmp_path, kind) for _ in range(2)]
    time.sleep(1)
    (tmp_path / "go").touch()
    assert [child.wait(120) for child in children] == [0, 0]
    assert check(tmp_path) == set(range(COUNT))
    times = Counter(computed(tmp_path))
    assert set(times) == set(range(COUNT)) and max(times.values()) <= 2
    if kind == "gpu":
        announced = sum(times[index] - 1 for index in range(9 * CHAINS))
        assert announced <= 9
    assert finish(tmp_path, kind) == set()


def test_when_one_of_two_processes_is_killed_the_other_finishes(tmp_path: Path):
    children = [start(tmp_path, "gpu") for _ in range(2)]
    time.sleep(1)
    (tmp_path / "go").touch()
    until(tmp_path, COUNT // 3)
    children[0].kill()
    assert (children[0].wait(120), children[1].wait(120)) == (-9, 0)
    assert check(tmp_path) == set(range(COUNT))
    assert finish(tmp_path, "gpu") == set()


def until(folder: Path, count: int) -> None:
    """Wait until the children have computed so many nodes."""
    deadline = time.monotonic() + 60
    while len(computed(folder)) < count and time.monotonic() < deadline:
        time.sleep(0.0005)


def kill_and_finish(folder: Path, moment: int, moments: int) -> tuple[int, int, int]:
    """Kill a run at one of so many moments, from the opening of the store to the end; check it and finish it.

    Returns how many nodes were committed, were computed by the killed process, and ran again though computed.
    """
    folder.mkdir()
    (folder / "go").touch()
    child = start(folder, "cpu")
    while not (folder / "store").exists():
        time.sleep(0.0005)
    until(folder, COUNT * moment // (moments - 1))
    time.sleep(moment * 0.0137 % 0.05)
    child.kill()
    child.wait()
    before = computed(folder)
    committed = check(folder)
    again = finish(folder, "cpu")
    assert again == set(range(COUNT)) - committed
    assert check(folder) == set(range(COUNT))
    return len(committed), len(before), len(again & set(before))


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path):
    for moment in range(6):
        kill_and_finish(tmp_path / f"{moment}", moment, 6)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_killed_at_fifty_moments_goes_on_where_it_was(tmp_path: Path):
    told = [kill_and_finish(tmp_path / f"{moment}", moment, 50) for moment in range(50)]
    print("committed, computed, computed again:", *told)
    assert len({committed for committed, _, _ in told}) > 10, "the moments are not spread over the run"
