"""Workers that can't answer: which of them are given up, and when."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.jobs.records import Submission
from server.workers.contract import Ping
from server.workers.heartbeat import WORKING, Activity, Heartbeat, Limits, activity
from tests.server.words import after, done, n, ran, served, shown, until

FROZEN = {"frozen_seconds": 1.0, "silent_seconds": 60.0}

still, disk = Activity({"1": 5.0}), Activity({"1": 5.0}, waits_for_disk=True)


def silence(limits: Limits, activities: list[Activity]) -> str | None:
    """Let a worker be silent for as many beats, each with its activity."""
    heart = Heartbeat(limits, asked=True)
    for each in activities:
        if reason := heart.beat(lambda each=each: each):
            return reason
    return None


def busy(beats: int, share: float) -> list[Activity]:
    return [Activity({"1": beat * share, "2": 0.0}) for beat in range(beats)]


def test_one_in_which_nothing_moves_is_frozen_soon() -> None:
    assert silence(Limits(), [still] * 30) is None
    assert "frozen" in (silence(Limits(), [still] * 31) or "")
    assert "frozen" in (silence(Limits(), busy(40, 0.002)) or ""), "its threads wait for the lock"


@pytest.mark.parametrize(
    "activities", [busy(300, 1.0), busy(300, 0.03), [disk] * 300], ids=["alone", "starved", "disk"]
)
def test_one_that_works_gets_longer(activities: list[Activity]) -> None:
    assert silence(Limits(), activities[:-1]) is None
    assert "300 s" in (silence(Limits(), activities) or "")


@given(st.lists(st.sampled_from([still, disk]), max_size=200), st.integers(1, 29))
def test_who_answers_in_time_is_never_given_up(activities: list[Activity], every: int) -> None:
    heart = Heartbeat(Limits())
    for beat, each in enumerate(activities):
        heart.asked = True
        if beat % every == 0:
            heart.hear()
        assert heart.beat(lambda each=each: each) is None


def test_activity_is_that_of_each_thread_and_none_where_the_process_is_gone() -> None:
    before = activity(os.getpid())
    next(filter((time.thread_time() + 0.1).__le__, iter(time.thread_time, None)))
    after = activity(os.getpid())
    assert max(seconds - before.seconds.get(id, 0.0) for id, seconds in after.seconds.items()) > 0.05
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert activity(gone.pid) == Activity({})


def held(seconds: float, work: bool) -> dict[str, Any]:
    return after(Hold={"value": 1, "seconds": seconds, "work": work})


@pytest.mark.anyio
async def test_a_worker_that_is_stopped_is_replaced_and_its_job_goes_on(tmp_path: Path) -> None:
    """Takes the seconds that three workers take to start."""
    log = tmp_path / "log"
    graph = {
        "1": n("Log", value=1, path=str(log), seconds=0.1),
        "2": n("Steps", value=("1", 0), count=30, seconds=0.05),
        "3": n("Show", value=("2", 0)),
    }
    async with served(tmp_path, process=True, **FROZEN) as services:
        (worker,) = services.dispatcher.workers
        id = (await services.jobs.submit(Submission(graph))).id
        await until(services.jobs, "node_started", count=2)
        first = worker.pid
        os.kill(first or 0, signal.SIGSTOP)
        began = time.monotonic()
        (requeued,) = [each for each in await until(services.jobs, "requeued") if each.kind == "requeued"]
        assert 1 <= time.monotonic() - began < 3
        assert "The worker was frozen" in requeued.data["reason"]
        job = await done(services.jobs, id)
        assert (job.state, job.attempts, job.deaths) == ("succeeded", 2, 1)
        assert log.read_text() == "1\n"
        with pytest.raises(ProcessLookupError):
            os.kill(first or 0, 0)

        os.kill(worker.pid or 0, signal.SIGSTOP)
        starts = worker.starts
        while worker.starts == starts:
            await asyncio.sleep(0.02)
        assert "frozen" in (worker.death or "")
        assert (await ran(services.jobs, shown(2))).attempts == 1, "it was replaced before the job came"


@pytest.mark.anyio
async def test_a_node_that_sleeps_with_pythons_lock_fails_and_the_next_job_runs(tmp_path: Path) -> None:
    """The node takes the lock before the worker can say that the job has begun. Three workers start."""
    async with served(tmp_path, process=True, **FROZEN) as services:
        job = await ran(services.jobs, held(600, work=False))
        assert (job.state, job.attempts) == ("failed", 2)
        assert job.error and "nothing moved in it" in job.error["message"]
        assert (await ran(services.jobs, shown(7))).state == "succeeded"


@pytest.mark.anyio
@pytest.mark.slow
async def test_a_node_that_computes_with_pythons_lock_for_too_long_fails(tmp_path: Path) -> None:
    """A worker may take some seconds to start, so this limit can't be short."""
    async with served(tmp_path, process=True, frozen_seconds=60.0, silent_seconds=8.0) as services:
        job = await ran(services.jobs, held(600, work=True))
        assert (job.state, job.attempts) == ("failed", 2)
        assert job.error and "code in C held Python's lock" in job.error["message"]
        assert (await ran(services.jobs, shown(7))).state == "succeeded"


PATIENT = {"frozen_seconds": 600.0, "silent_seconds": 6000.0, "park_seconds": 0.0}
"""Limits that no machine is too slow for: what counts is what the worker does, however long that takes."""


@pytest.mark.anyio
@pytest.mark.parametrize("type", ["Stuck", "Multiply"])
async def test_a_worker_whose_node_leaves_pythons_lock_to_others_answers(tmp_path: Path, type: str) -> None:
    """The node waits, or computes in torch, for as long as the test takes."""
    sizes = {"Stuck": {"value": 1}, "Multiply": {"size": 1}}[type]
    async with served(tmp_path, process=True, **PATIENT) as services:
        (worker,) = services.dispatcher.workers
        await services.jobs.submit(Submission({"1": n(type, **sizes, seconds=600), "2": n("Show", value=("1", 0))}))
        await until(services.jobs, "node_started")
        for _ in range(3):
            worker.heartbeat.asked = True
            worker.carrier.send([Ping()])
            async with asyncio.timeout(60):
                while worker.heartbeat.asked:
                    await asyncio.sleep(0.02)


@pytest.mark.anyio
async def test_a_node_that_computes_with_pythons_lock_is_seen_to_work_until_it_is_stopped(tmp_path: Path) -> None:
    """A beat passes whenever the worker had some time of a processor, so it may wait for that as long as it has to."""
    async with served(tmp_path, process=True, **PATIENT) as services:
        (worker,) = services.dispatcher.workers
        log = tmp_path / "log"
        graph = after(Hold={"value": ("3", 0), "seconds": 600, "work": True})
        await services.jobs.submit(Submission(graph | {"3": n("Log", value=1, path=str(log))}))
        async with asyncio.timeout(60):
            while not log.exists():  # the node behind it takes the lock before the worker can say so
                await asyncio.sleep(0.02)
        heart = Heartbeat(Limits(frozen=2.0, silent=60.0), asked=True)
        for _ in range(10):
            before = worker.carrier.activity().seconds
            async with asyncio.timeout(60):
                while not any(
                    seconds - before.get(thread, 0.0) > WORKING * 2.0
                    for thread, seconds in worker.carrier.activity().seconds.items()
                ):
                    await asyncio.sleep(0.02)
            assert heart.beat(worker.carrier.activity) is None
        assert heart.silence > heart.limits.frozen and worker.starts == 1
        os.kill(worker.pid or 0, signal.SIGSTOP)
        told = [heart.beat(worker.carrier.activity) for _ in range(20)]
        assert "nothing moved in it" in next(filter(None, told))
        worker.carrier.kill()


@pytest.mark.anyio
async def test_a_server_that_was_stopped_itself_blames_no_worker(tmp_path: Path) -> None:
    async with served(tmp_path, frozen_seconds=1.0, silent_seconds=1.0) as services:
        id = (await services.jobs.submit(Submission(after(Steps={"value": 1, "count": 60, "seconds": 0.05})))).id
        await until(services.jobs, "node_started")
        time.sleep(2.0)  # the loop stands still, as it does in a process that is stopped
        job = await done(services.jobs, id)
        assert (job.state, job.attempts) == ("succeeded", 1)
