"""Many jobs in one process do not fill its memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.command import ROOT

GROWTH = 1.05
"""The most that resident memory may grow between the first fifth of the jobs and the last."""


def grown(folder: Path, jobs: int, pictures: int) -> float:
    """Return by how much the memory of a process grew over its jobs, as a ratio."""
    command = [sys.executable, "-m", "tests.acceptance.jobs", str(folder), str(jobs), str(pictures)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["job"] for each in told] == [jobs * fifth // 5 for fifth in range(1, 6)]
    assert len(list((folder / "output").iterdir())) == jobs
    print(*(each["kib"] // 1024 for each in told), "MiB")
    return told[-1]["kib"] / told[0]["kib"]


def test_fifty_jobs_do_not_fill_the_memory(tmp_path: Path):
    assert grown(tmp_path, 50, 10) <= GROWTH


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_five_hundred_jobs_do_not_fill_the_memory(tmp_path: Path):
    assert grown(tmp_path, 500, 100) <= GROWTH
