"""Workers that die, hang and are stopped; jobs that go on elsewhere."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from server.app.services import Services
from server.jobs.records import JobEvent, Submission
from tests.server.words import after, done, n, ran, served, shown, until

pytestmark = pytest.mark.anyio


def logged(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


async def submitted(services: Services, workflow: dict[str, Any], **more: Any) -> str:
    return (await services.jobs.submit(Submission(workflow, **more))).id


async def pid(services: Services) -> int:
    (worker,) = services.dispatcher.workers
    while worker.pid is None:
        await asyncio.sleep(0.01)
    return worker.pid


async def test_a_job_whose_worker_dies_goes_on_from_what_is_remembered(tmp_path: Path):
    log = tmp_path / "log"
    graph = {
        "1": n("Log", value=1, path=str(log), seconds=0.1),
        "2": n("Die", value=("1", 0), path=str(tmp_path / "deaths"), times=1),
        "3": n("Log", value=("2", 0), path=str(log)),
        "4": n("Show", value=("3", 0)),
    }
    async with served(tmp_path, process=True) as services:
        job = await ran(services.jobs, graph)
        assert (job.state, job.attempts, job.deaths) == ("succeeded", 2, 1)
        assert job.outputs["4"]["notes"] == {"text": ["1"]}
        assert logged(log) == [1, 1]
        events = (await services.jobs.events(job=job.id)).events
        assert [event.kind for event in events if event.node is None and event.kind != "planned"] == [
            "queued", "began", "requeued", "began", "succeeded",
        ]  # fmt: skip
        again = events[[event.kind for event in events].index("requeued") :]
        assert [event.node for event in again if event.kind == "remembered"] == ["1"]
        assert "SIGKILL" in again[0].data["reason"]


async def test_a_job_that_kills_two_workers_fails_with_the_reason_and_the_next_runs(tmp_path: Path):
    graph = {
        "1": n("Number", value=1),
        "2": n("Die", value=("1", 0), path=str(tmp_path / "deaths"), times=9),
        "3": n("Show", value=("2", 0)),
    }
    async with served(tmp_path, process=True) as services:
        bad, good = await submitted(services, graph), await submitted(services, shown(7))
        job = await done(services.jobs, bad)
        assert (job.state, job.attempts) == ("failed", 2)
        assert job.error
        assert job.error["message"] == "The worker was ended by SIGKILL."
        assert "about to die" in job.error["got"]
        assert (await done(services.jobs, good)).state == "succeeded"


async def test_jobs_that_were_handed_out_and_not_begun_come_back(tmp_path: Path):
    async with served(tmp_path, process=True) as services:
        jobs = services.jobs
        (worker,) = services.dispatcher.workers
        await ran(jobs, shown(0))
        worker.seconds = 0.001
        await jobs.pause()
        first = await submitted(services, after(Steps={"value": 1, "count": 100, "seconds": 0.01}))
        rest = [await submitted(services, shown(value)) for value in range(5)]
        since = jobs.seq
        await jobs.resume()
        await until(jobs, "node_started", since=since)
        assert list(worker.held) == rest
        assert all(jobs.get(id).state == "queued" for id in rest)
        os.kill(await pid(services), signal.SIGKILL)
        for id in (first, *rest):
            assert (await done(jobs, id)).state == "succeeded"
        assert [jobs.get(id).attempts for id in (first, *rest)] == [2, 1, 1, 1, 1, 1]


async def test_what_was_handed_out_can_still_be_reordered_paused_and_cancelled(tmp_path: Path):
    async with served(tmp_path) as services:
        jobs = services.jobs
        (worker,) = services.dispatcher.workers
        await ran(jobs, shown(0))
        worker.seconds = 0.001
        since = jobs.seq
        first = await submitted(services, after(Steps={"value": 1, "count": 1000, "seconds": 0.01}))
        a, b, c = [await submitted(services, shown(value)) for value in (1, 2, 3)]
        await until(jobs, "node_started", since=since)
        assert list(worker.held) == [a, b, c]
        await jobs.reorder([c, a])
        assert [job.id for job in jobs.queue()] == [first, c, b, a]
        await jobs.cancel(b)
        await jobs.pause()
        assert not worker.held
        await jobs.cancel(first)
        assert (await done(jobs, first)).state == "cancelled"
        assert [job.id for job in jobs.queue()] == [c, a]
        await jobs.resume()
        facts = await until(jobs, "succeeded", since=since, count=2)
        assert [fact.job for fact in facts if fact.kind == "began"] == [first, c, a]


async def test_a_node_that_looks_at_nothing_loses_its_worker_and_not_the_queue(tmp_path: Path):
    async with served(tmp_path, process=True, grace_seconds=0.3) as services:
        jobs = services.jobs
        stuck = await submitted(services, after(Stuck={"value": 1, "seconds": 60.0}))
        await until(jobs, "node_started")
        first = await pid(services)
        await asyncio.sleep(0.2)  # a node that was told and not yet called would end by itself
        next_one = await submitted(services, shown(2))
        began = time.monotonic()
        await jobs.cancel(stuck)
        assert (await done(jobs, stuck)).state == "cancelled"
        assert (await done(jobs, next_one)).state == "succeeded"
        assert time.monotonic() - began < 15
        assert await pid(services) != first
        assert jobs.get(stuck).deaths == 0


async def test_a_deadline_ends_a_node_that_looks_at_nothing(tmp_path: Path):
    async with served(tmp_path, process=True, grace_seconds=0.1) as services:
        job = await ran(services.jobs, after(Stuck={"value": 1, "seconds": 60.0}), timeout=1.5)
        assert job.state == "failed"
        assert job.error
        assert "deadline" in job.error["message"]


async def test_the_end_of_the_server_parks_what_runs_and_the_next_goes_on(tmp_path: Path):
    log = tmp_path / "log"
    graph = {
        "1": n("Log", value=1, path=str(log), seconds=0.4),
        "2": n("Log", value=("1", 0), path=str(log), seconds=0.4),
        "3": n("Show", value=("2", 0)),
    }
    async with served(tmp_path, process=True) as services:
        runs, waits = await submitted(services, graph), await submitted(services, shown(5))
        await until(services.jobs, "node_started")
        seq = services.jobs.seq
    assert logged(log) == [1]
    async with served(tmp_path, process=True) as services:
        events = (await services.jobs.events(seq)).events
        assert [event.data["reason"] for event in events if event.kind == "requeued"] == ["The server was stopped."]
        for id in (runs, waits):
            assert (await done(services.jobs, id)).state == "succeeded"
        assert logged(log) == [1, 1]
        assert services.jobs.get(runs).attempts == 2


async def test_what_does_not_park_in_time_is_run_again(tmp_path: Path):
    async with served(tmp_path, process=True, park_seconds=0.2) as services:
        id = await submitted(services, after(Stuck={"value": 1, "seconds": 9.0}))
        await until(services.jobs, "node_started")
        began = time.monotonic()
    assert time.monotonic() - began < 9
    async with served(tmp_path) as services:
        assert services.jobs.get(id).attempts == 1
        await services.jobs.cancel(id)
        assert (await done(services.jobs, id)).state == "cancelled"


async def test_several_workers_share_a_queue(tmp_path: Path):
    async with served(tmp_path, workers=2) as services:
        ids = [await submitted(services, after(Nap={"value": value, "seconds": 0.2})) for value in range(4)]
        for id in ids:
            assert (await done(services.jobs, id)).state == "succeeded"
        assert {services.jobs.get(id).worker for id in ids} == {"cpu-0", "cpu-1"}


async def test_a_client_goes_where_its_values_are(tmp_path: Path):
    async with served(tmp_path, workers=2) as services:
        jobs = services.jobs
        while not all(worker.ready for worker in services.dispatcher.workers):
            await asyncio.sleep(0.01)
        for value in range(6):
            client = "ab"[value % 2]
            await submitted(services, after(Nap={"value": value, "seconds": 0.05}), client=client)
            if value % 2:
                await until(jobs, "succeeded", count=value + 1)
        found = [(job.client, job.worker) for job in (await jobs.page()).jobs]
        assert len(set(found)) == 2


async def test_a_worker_that_does_not_come_up_is_tried_again_and_jobs_wait(tmp_path: Path):
    async with served(tmp_path, process=True) as services:
        (worker,) = services.dispatcher.workers
        job = await submitted(services, shown(1))
        for _ in range(2):
            while worker.carrier._process is None or worker.carrier._process.returncode is not None:  # type: ignore[attr-defined]
                await asyncio.sleep(0.005)
            worker.carrier.kill()
            await asyncio.sleep(0.05)
        assert (await done(services.jobs, job)).state == "succeeded"
        assert services.jobs.get(job).deaths == 0


async def test_events_have_no_gap_whatever_happens(tmp_path: Path):
    heard: list[JobEvent] = []
    async with served(tmp_path, process=True) as services:
        with services.jobs.subscribe(since=0) as feed:
            ids = [await submitted(services, shown(value)) for value in range(20)]
            ids.append(await submitted(services, after(Die={"value": 1, "path": str(tmp_path / "d"), "times": 1})))
            while not any(event.kind == "succeeded" and event.job == ids[-1] for event in heard):
                heard += [each for each in await feed.next() if isinstance(each, JobEvent)]
    assert [event.seq for event in heard] == list(range(1, len(heard) + 1))
