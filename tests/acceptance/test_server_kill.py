"""kill -9 of the server, its worker and both, while a batch runs: what was acknowledged is done once, files whole."""

import http.client
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.server.serving import ServerProcess, kill
from tests.server.words import n

BATCH = 50
SUBMIT_SECONDS = 0.01
RUN_SECONDS = 0.01
VICTIMS = ("server", "worker", "both")


def graph(name: str, log: Path) -> dict[str, Any]:
    return {
        "1": n("Number", value=int(name.split("-")[1])),
        "2": n("Log", value=("1", 0), path=str(log), seconds=RUN_SECONDS),
        "3": n("Save", value=("2", 0), prefix=name),
    }


class Client(threading.Thread):
    """Submits a batch, each job until it is acknowledged, while the server comes and goes."""

    def __init__(self, server: ServerProcess, names: list[str], log: Path) -> None:
        super().__init__()
        self.server, self.names, self.log = server, names, log
        self.acknowledged: list[str] = []

    def run(self) -> None:
        for name in self.names:
            while name not in self.acknowledged:
                try:
                    self.server.call("POST", "/api/v1/jobs", {"id": name, "workflow": graph(name, self.log)})
                    self.acknowledged.append(name)
                except (OSError, http.client.HTTPException):
                    time.sleep(0.05)
            time.sleep(SUBMIT_SECONDS)


def strike(server: ServerProcess, victim: str, worker: int) -> None:
    """Kill who was chosen, and start the server again if it was it."""
    if victim != "server":
        kill(worker)
    if victim != "worker":
        server.kill()
        server.start()


def check(server: ServerProcess, names: list[str]) -> None:
    """See that every job was done once and left one whole file, and that no fact is missing."""
    events = server.events()
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    ends = Counter(event["job"] for event in events if event["kind"] in ("succeeded", "failed", "cancelled"))
    assert ends == dict.fromkeys(names, 1)
    for name in names:
        job = server.call("GET", f"/api/v1/jobs/{name}")
        assert job["state"] == "succeeded", job
        (file,) = job["outputs"]["3"]["files"]
        assert Path(file["path"]).read_text() == str(int(name.split("-")[1]))
    files = sorted(file.name for file in (server.folder / "out").iterdir() if file.is_file())
    assert files == sorted(f"{name}_00001_.txt" for name in names)


def rounds(folder: Path, victims: list[str], seed: int) -> None:
    """Run a batch for each victim, and strike at a random moment of it."""
    chance = random.Random(seed)
    everything: list[str] = []
    with ServerProcess(folder) as server:
        for number, victim in enumerate(victims):
            names = [f"{number}-{index}" for index in range(BATCH)]
            everything += names
            worker = server.worker()
            client = Client(server, names, folder / "log")
            client.start()
            time.sleep(chance.uniform(0, BATCH * (SUBMIT_SECONDS + RUN_SECONDS)))
            strike(server, victim, worker)
            client.join(120)
            assert client.acknowledged == names
            server.wait_until_idle()
        check(server, everything)


def test_a_batch_survives_the_death_of_server_and_worker(tmp_path: Path):
    rounds(tmp_path, list(VICTIMS), random.randrange(10**6))


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_a_batch_survives_a_hundred_deaths(tmp_path: Path):
    rounds(tmp_path, [VICTIMS[index % 3] for index in range(100)], 7)


def test_a_restart_finishes_what_waited_and_what_ran(tmp_path: Path):
    log = tmp_path / "log"
    with ServerProcess(tmp_path) as server:
        slow = {"1": n("Log", value=1, path=str(log), seconds=1.0), "2": n("Save", value=("1", 0), prefix="first-0")}
        server.call("POST", "/api/v1/jobs", {"id": "first", "workflow": slow})
        server.wait_for(lambda: server.call("GET", "/api/v1/jobs/first")["state"] == "running")
        for index in range(100):
            name = f"0-{index}"
            server.call("POST", "/api/v1/jobs", {"id": name, "workflow": graph(name, log)})
        server.kill()
        server.start()
        server.wait_until_idle()
        page = server.call("GET", "/api/v1/jobs?limit=1000&state=succeeded")
        assert page["total"] == 101
        assert len(list((tmp_path / "out").glob("*.txt"))) == 101


def test_the_server_ends_in_order_and_goes_on(tmp_path: Path):
    log = tmp_path / "log"
    slow = {
        "1": n("Log", value=1, path=str(log), seconds=1.0),
        "2": n("Log", value=("1", 0), path=str(log), seconds=1.0),
        "3": n("Save", value=("2", 0), prefix="a"),
    }
    with ServerProcess(tmp_path) as server:
        server.call("POST", "/api/v1/jobs", {"id": "a", "workflow": slow})
        server.wait_for(lambda: server.call("GET", "/api/v1/jobs/a")["state"] == "running")
        assert server.end() == 0
        assert log.read_text() == "1\n"
        server.start()
        server.wait_until_idle()
        assert log.read_text() == "1\n1\n"
        kinds = [event["kind"] for event in server.events() if event["job"] == "a" and event["node"] is None]
        assert [kind for kind in kinds if kind != "planned"] == ["queued", "began", "requeued", "began", "succeeded"]


def test_the_second_signal_ends_the_server_at_once(tmp_path: Path):
    stuck = {"1": n("Stuck", value=1, seconds=5.0), "2": n("Show", value=("1", 0))}
    with ServerProcess(tmp_path) as server:
        server.call("POST", "/api/v1/jobs", {"id": "a", "workflow": stuck})
        server.wait_for(lambda: server.call("GET", "/api/v1/jobs/a")["state"] == "running")
        began = time.monotonic()
        server.signal()
        time.sleep(0.3)
        assert server.end() == 128 + signal.SIGTERM
        assert time.monotonic() - began < 4
        server.start()
        assert server.call("GET", "/api/v1/jobs/a")["state"] in ("queued", "running")
        server.wait_until_idle()
        assert server.call("GET", "/api/v1/jobs/a")["state"] == "succeeded"
