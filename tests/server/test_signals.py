"""Ctrl-C, on the real command in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-W", "error", "-m", "tests.server.slow_command"]

Start = Callable[[int, float], subprocess.Popen[str]]


@pytest.fixture
def start(here: Path) -> Iterator[Start]:
    """Start a run of a node of ``steps`` steps and wait until it is on its way."""
    started = []

    def run(steps: int, seconds: float) -> subprocess.Popen[str]:
        workflow = {
            "1": {"class_type": "Slow", "inputs": {"steps": steps, "seconds": seconds}},
            "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
        }
        (here / "slow.json").write_text(json.dumps(workflow))
        process = subprocess.Popen(
            [*COMMAND, "run", "slow.json", "--json"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout
        while json.loads(process.stdout.readline())["event"] != "node_started":
            pass
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_cancels_cleanly(start, number):
    process = start(10_000, 0.01)
    process.send_signal(number)
    out, err = process.communicate()
    *_, last_event, last = map(json.loads, out.splitlines())
    assert process.returncode == 130
    assert last_event["event"] == "was_cancelled"
    assert last["error"]["code"] == "cancelled"
    assert err == "Cancelling. Press Ctrl-C again to stop at once.\n"


def test_the_second_ends_at_once(start):
    process = start(2, 1000.0)
    process.send_signal(signal.SIGINT)
    assert process.stderr
    assert process.stderr.readline().startswith("Cancelling.")
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
