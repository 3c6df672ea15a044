import asyncio
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from server.jobs.records import Submission
from tests.server.app.test_jobs import client
from tests.server.words import ran, shown

pytestmark = pytest.mark.anyio


async def test_health_and_ready_say_what_was_looked_at(tmp_path: Path):
    async with client(tmp_path, workers=2) as (http, services):
        await ran(services.jobs, shown(1))
        health = (await http.get("/health")).json()
        assert (health["healthy"], list(health["checks"])) == (True, ["disk", "dispatcher"])
        ready = await http.get("/ready")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        assert ready.json()["checks"]["workers"] == "2 of 2 take jobs, 2 prepared"
        assert str(tmp_path) not in ready.text


async def test_no_worker_is_not_ready_and_still_healthy(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        await ran(services.jobs, shown(1))
        for worker in services.dispatcher.workers:
            worker.bury()
        ready = await http.get("/ready")
        assert (ready.status_code, ready.json()["checks"]["workers"]) == (503, "0 of 1 take jobs, 0 prepared")
        assert (await http.get("/health")).status_code == 200


async def test_a_worker_that_is_not_prepared_takes_jobs_and_is_not_ready(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        await ran(services.jobs, shown(1))
        services.dispatcher.workers[0].prepared = False
        ready = await http.get("/ready")
        assert (ready.status_code, ready.json()["checks"]["workers"]) == (503, "1 of 1 take jobs, 0 prepared")


async def test_a_worker_that_does_not_answer_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Takes the second that a worker process takes to start, and one of silence."""
    monkeypatch.setattr("server.app.health.SILENT_SECONDS", 0.5)
    async with client(tmp_path, process=True) as (http, services):
        await ran(services.jobs, shown(1))
        pid = services.dispatcher.workers[0].pid
        assert pid
        for number, status in ((signal.SIGSTOP, 503), (signal.SIGCONT, 200)):
            os.kill(pid, number)
            while (ready := await http.get("/ready")).status_code != status:
                await asyncio.sleep(0.05)
            assert ("1 silent" in ready.json()["checks"]["workers"]) == (status == 503)


async def test_a_paused_queue_is_not_ready(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        await ran(services.jobs, shown(1))
        await services.jobs.pause()
        ready = await http.get("/ready")
        assert (ready.status_code, ready.json()["checks"]["queue"]) == (503, "paused")


async def test_a_queue_that_does_not_move_is_told(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        await ran(services.jobs, shown(1))
        services.dispatcher._awake = True  # as if the loop had forgotten to hand out
        await services.jobs.submit(Submission(shown(2), id="forgotten"))
        ready = await http.get("/ready")
        assert (ready.status_code, ready.json()["checks"]["queue"]) == (
            503, "job forgotten waits while a worker is free",
        )  # fmt: skip


async def test_a_worker_that_nobody_looks_after_is_not_healthy(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        await ran(services.jobs, shown(1))
        services.dispatcher._tasks[0].cancel()
        health = await http.get("/health")
        for _ in range(3):
            health = await http.get("/health")
        assert (health.status_code, health.json()["checks"]["dispatcher"]) == (503, "nobody looks after cpu-0")


async def test_a_disk_that_takes_no_write_is_not_healthy(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        await ran(services.jobs, shown(1))
        other = sqlite3.connect(services.jobs.store.folder / "jobs.sqlite")
        other.execute("DROP TABLE facts")
        other.close()
        health = await http.get("/health")
        assert (health.status_code, health.json()["checks"]["disk"]) == (503, "it can't be written")
