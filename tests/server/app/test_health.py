from pathlib import Path

import pytest

from tests.server.app.test_jobs import client
from tests.server.words import ran, shown

pytestmark = pytest.mark.anyio


async def test_health_and_ready_tell_the_truth(tmp_path: Path):
    async with client(tmp_path, workers=2) as (http, services):
        await ran(services.jobs, shown(1))
        health = (await http.get("/health")).json()
        assert health == {"queued": 0, "running": 0, "paused": False, "seq": 9}
        ready = await http.get("/ready")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        for worker in services.dispatcher.workers:
            worker.bury()
        assert (await http.get("/ready")).status_code == 503


async def test_workers_are_listed(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        await ran(services.jobs, shown(1))
        (worker,) = (await http.get("/api/v1/workers")).json()["workers"]
        assert (worker["name"], worker["device"], worker["job"], worker["starts"]) == ("cpu-0", "cpu", None, 1)
