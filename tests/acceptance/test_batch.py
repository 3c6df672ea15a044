"""A batch of 200 rows that is killed three times ends with every row exactly once."""

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.command import ROOT, loomis, saved
from tests.acceptance.many_rows import main
from tests.engine.words import n

ROWS = 200


def lines(manifest: Path) -> list[bytes]:
    return manifest.read_bytes().splitlines() if manifest.is_file() else []


def kill_at(command: list[str], manifest: Path, rows: int, **options) -> None:
    """Start a batch and kill it when the manifest has so many rows."""
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    deadline = time.monotonic() + 100
    while len(lines(manifest)) < rows + 1 and time.monotonic() < deadline:
        time.sleep(0.0007)
    child.kill()
    assert child.wait() == -9


def check(manifest: Path, suffix: str) -> None:
    """See that each row is done exactly once, in the manifest and on disk, and nothing is left over."""
    head, *rows = [json.loads(line) for line in lines(manifest)]
    assert head["rows"] == ROWS
    assert Counter((row["row"], row["state"]) for row in rows) == {(row, "done"): 1 for row in range(1, ROWS + 1)}
    files = sorted(path.name for path in manifest.parent.iterdir() if not path.name.startswith("."))
    assert files == sorted([manifest.name, *(f"{row:03}{suffix}" for row in range(1, ROWS + 1))])
    assert not (manifest.parent / ".batch").exists()


def test_three_kills_lose_no_row_and_repeat_none(tmp_path: Path):
    manifest = tmp_path / "out" / "manifest.jsonl"
    command = [sys.executable, "-m", "tests.acceptance.many_rows", str(tmp_path), str(ROWS)]
    for rows in (20, 90, 150):
        kill_at(command, manifest, rows)
        assert len(lines(manifest)) > rows
    progress = main(tmp_path, ROWS)
    assert progress.failed == 0 and progress.skipped >= 150
    check(manifest, ".txt")
    for row in range(1, ROWS + 1):
        assert (tmp_path / "out" / f"{row:03}.txt").read_text() == f"text {row}"
    times = Counter((tmp_path / "log").read_text().split())
    assert times.keys() == {str(row) for row in range(1, ROWS + 1)}
    assert sum(count - 1 for count in times.values()) <= 3 * 50, "only what was computed within 50 ms of a kill"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_command_does_so_too(tmp_path: Path):
    graph = {
        "1": n("EmptyImage", width=8, height=8, batch_size=1, color=0),
        "2": n("SaveImage", images=("1", 0), filename_prefix="x"),
    }
    args = [
        "batch",
        str(saved(tmp_path, graph)),
        "--grid",
        f"color=1..{ROWS}",
        "--out",
        str(tmp_path / "out" / "{row}"),
    ]
    manifest = tmp_path / "out" / "manifest.jsonl"
    command = [sys.executable, "-m", "server", *args, "--data", str(tmp_path / "data"), "--device", "cpu"]
    for rows in (10, 80, 160):
        kill_at(command, manifest, rows)
    told = loomis(tmp_path, *args, "--json", python=())
    assert told.code == 0
    assert told.lines[-1]["batch"]["done"] <= 40
    check(manifest, ".png")
