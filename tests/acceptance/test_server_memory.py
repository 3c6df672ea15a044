"""What a server and its worker take of the memory while thousands of jobs go by."""

import http.client
import json
import os
from pathlib import Path

import psutil
import pytest

from tests.server.serving import ServerProcess
from tests.server.words import n

JOBS = 2_200
GROUP = 200
ROW_BYTES = 2_048
"""What a worker may keep of each node that it remembers, up to ``engine.store.ROWS_IN_MEMORY`` of them."""


def submit(server: ServerProcess, numbers: range) -> None:
    """Submit distinct jobs of three nodes over one connection, and wait until they have run."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    for number in numbers:
        graph = {"1": n("Number", value=number), "2": n("Add", a=("1", 0), b=1), "3": n("Show", value=("2", 0))}
        connection.request("POST", "/api/v1/jobs", json.dumps({"workflow": graph}))
        answer = connection.getresponse()
        assert answer.status == 201, answer.read()
        answer.read()
    connection.close()
    server.wait_until_idle()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="memory is counted otherwise here")
def test_two_thousand_jobs_leave_the_memory_flat(tmp_path: Path) -> None:
    """After the first 200 the server stays within 5 %; the worker takes its rows of what it remembers, which have a
    bound, and nothing else that grows.
    """
    with ServerProcess(tmp_path) as server:
        server_, worker = psutil.Process(server.pid), psutil.Process(server.worker())
        resident = []
        for start in range(0, JOBS, GROUP):
            submit(server, range(start, start + GROUP))
            resident.append((server_.memory_info().rss, worker.memory_info().rss))
            print(start + GROUP, *(f"{each / 2**20:.1f} MiB" for each in resident[-1]))
        (first, first_worker), *later = resident
        assert max(rss for rss, _ in later) <= 1.05 * first
        assert max(rss for _, rss in later) - first_worker <= ROW_BYTES * 3 * (JOBS - GROUP)
