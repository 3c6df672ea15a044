import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from engine.errors import JobConflict, JobError, NoSuchJob, ValidationError, WorkflowError
from server.jobs.records import JobEvent, Progress, Submission
from server.jobs.service import Jobs
from server.jobs.store import Wanted
from tests.server.words import after, done, n, ran, served, shown, until

pytestmark = pytest.mark.anyio


async def submitted(jobs: Jobs, *values: int, **more: Any) -> list[str]:
    return [(await jobs.submit(Submission(shown(value), **more))).id for value in values]


def waiting(jobs: Jobs) -> list[str]:
    return [job.id for job in jobs.queue()]


async def test_a_job_runs_and_tells_its_story(tmp_path: Path):
    async with served(tmp_path) as services:
        jobs = services.jobs
        job = await ran(jobs, shown(7), labels=("x",), owner="me", client="socket")
        assert (job.state, job.attempts, job.worker, job.labels, job.owner) == ("succeeded", 1, "cpu-0", ("x",), "me")
        assert job.outputs == {"2": {"files": [], "notes": {"text": ["7"]}}}
        assert job.targets == ("2",)
        events = (await jobs.events()).events
        assert [(event.kind, event.node) for event in events] == [
            ("queued", None), ("began", None), ("planned", None), ("node_started", "1"), ("node_finished", "1"),
            ("node_started", "2"), ("node_finished", "2"), ("saved", "2"), ("succeeded", None),
        ]  # fmt: skip
        assert [event.seq for event in events] == list(range(1, 10))
        assert events[2].data["runs"] == {"1": "never run"}


async def test_what_was_sent_is_kept_as_it_was(tmp_path: Path):
    async with served(tmp_path) as services:
        graph = {"1": n("Number", value="20"), "2": n("Show", value=("1", 0)), "9": n("Number", value=3)}
        job = await ran(services.jobs, graph, parameters={"1.value": 21}, annotations={"note": [1, {"a": None}]})
        sent = {name: json.loads(text) for name, text in services.jobs.sent(job.id).items()}
        assert sent["workflow"] == graph
        assert (sent["parameters"], sent["annotations"]) == ({"1.value": 21}, {"note": [1, {"a": None}]})
        assert job.outputs["2"]["notes"] == {"text": ["21"]}


async def test_a_job_is_queued_though_who_submits_it_is_gone_before_it_is_on_disk(tmp_path: Path):
    async with served(tmp_path) as services:
        submitting = asyncio.create_task(services.jobs.submit(Submission(shown(7), id="a")))
        for _ in range(2):
            await asyncio.sleep(0)
        submitting.cancel()
        assert [event.kind for event in await until(services.jobs, "succeeded")][-1] == "succeeded"
        assert submitting.cancelled()
        assert (await services.jobs.submit(Submission(shown(7), id="a"))).state == "succeeded"


async def test_a_workflow_that_is_not_valid_is_refused_and_nothing_changes(tmp_path: Path):
    async with served(tmp_path) as services:
        with pytest.raises(ValidationError):
            await services.jobs.submit(Submission({"1": n("Nothing")}))
        for wrong in ({"nodes": 5}, {"nodes": None}, {"nodes": [1] * 1000}, {}):
            with pytest.raises(WorkflowError):
                await services.jobs.submit(Submission(wrong))
        assert services.jobs.seq == 0
        assert (await services.jobs.page()).total == 0


async def test_a_workflow_of_too_many_nodes_is_refused(tmp_path: Path):
    async with served(tmp_path) as services:
        with pytest.raises(WorkflowError, match="too many nodes"):
            await services.jobs.submit(Submission({str(id): {} for id in range(100_001)}))
        assert waiting(services.jobs) == []


async def test_a_partial_job_says_what_it_left_out(tmp_path: Path):
    async with served(tmp_path) as services:
        graph = shown(1) | {"8": n("Show", value=("9", 0)), "9": n("Nothing")}
        job = await ran(services.jobs, graph, partial=True)
        assert (job.state, job.targets) == ("succeeded", ("2",))
        assert {fault.node for fault in job.faults} >= {"9"}


async def test_the_same_id_is_the_same_job(tmp_path: Path):
    async with served(tmp_path) as services:
        jobs = services.jobs
        several = await asyncio.gather(*(jobs.submit(Submission(shown(1), id="mine")) for _ in range(5)))
        assert {job.id for job in several} == {"mine"}
        await done(jobs, "mine")
        assert (await jobs.submit(Submission(shown(1), id="mine"))).state == "succeeded"
        with pytest.raises(JobConflict):
            await jobs.submit(Submission(shown(2), id="mine"))
        assert (await jobs.page()).total == 1


async def test_a_refused_id_can_be_used_again(tmp_path: Path):
    async with served(tmp_path) as services:
        results = await asyncio.gather(
            *(services.jobs.submit(Submission({"1": n("Nothing")}, id="mine")) for _ in range(3)),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [ValidationError] * 3
        assert (await ran(services.jobs, shown(1), id="mine")).state == "succeeded"


async def test_a_failed_job_says_why_and_the_next_runs(tmp_path: Path):
    async with served(tmp_path) as services:
        job = await ran(services.jobs, after(Fail={"value": 3}))
        assert job.state == "failed"
        assert job.error
        assert job.error["node"] == "1"
        assert "no 3" in job.error["message"]
        assert (await ran(services.jobs, shown(1))).state == "succeeded"


async def test_priority_front_and_order(tmp_path: Path):
    async with served(tmp_path) as services:
        jobs = services.jobs
        await jobs.pause()
        a, b, c = await submitted(jobs, 1, 2, 3)
        (high,) = await submitted(jobs, 4, priority=5)
        front, newer = await submitted(jobs, 5, 6, front=True)
        assert waiting(jobs) == [high, newer, front, a, b, c]
        await jobs.reorder([c, a])
        assert waiting(jobs) == [high, newer, front, c, b, a]
        await jobs.move(a, priority=9)
        await jobs.move(b, front=True)
        order = [a, high, b, newer, front, c]
        assert waiting(jobs) == order
        await jobs.resume()
        facts = await until(jobs, "succeeded", count=6)
        assert [fact.job for fact in facts if fact.kind == "began"] == order
        assert [fact.kind for fact in facts if fact.job is None] == ["paused", "resumed"]


async def test_a_number_that_a_client_chose_is_its_place(tmp_path: Path):
    async with served(tmp_path) as services:
        jobs = services.jobs
        await jobs.pause()
        (a,) = await submitted(jobs, 1)
        (b,) = await submitted(jobs, 2, number=-3.5)
        (c,) = await submitted(jobs, 3, number=0.5)
        assert waiting(jobs) == [b, c, a]
        assert jobs.get(b).number == -3.5


async def test_what_does_not_wait_cannot_be_moved(tmp_path: Path):
    async with served(tmp_path) as services:
        job = await ran(services.jobs, shown(1))
        with pytest.raises(JobError, match="does not wait"):
            await services.jobs.move(job.id, front=True)
        with pytest.raises(JobError, match="does not wait"):
            await services.jobs.reorder([job.id])
        with pytest.raises(NoSuchJob):
            await services.jobs.move("none")
        with pytest.raises(JobError, match="twice"):
            await services.jobs.reorder(["a", "a"])


async def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_soon(tmp_path: Path):
    async with served(tmp_path) as services:
        jobs = services.jobs
        running = await jobs.submit(Submission(after(Steps={"value": 1, "count": 1000, "seconds": 0.01})))
        await until(jobs, "node_started")
        (waits,) = await submitted(jobs, 2)
        assert (await jobs.cancel(waits)).state == "cancelled"
        await jobs.cancel(running.id)
        assert (await done(jobs, running.id)).state == "cancelled"
        assert (await jobs.cancel(running.id)).state == "cancelled"
        assert (await ran(jobs, shown(3))).state == "succeeded"
        with pytest.raises(NoSuchJob):
            await jobs.cancel("none")


async def test_an_async_node_is_cancelled_within_a_moment(tmp_path: Path):
    async with served(tmp_path) as services:
        jobs = services.jobs
        job = await jobs.submit(Submission(after(Nap={"value": 1, "seconds": 8.0})))
        await until(jobs, "node_started")
        began = asyncio.get_running_loop().time()
        await jobs.cancel(job.id)
        assert (await done(jobs, job.id)).state == "cancelled"
        assert asyncio.get_running_loop().time() - began < 1.0


async def test_a_late_job_fails_whether_it_waits_or_runs(tmp_path: Path):
    async with served(tmp_path) as services:
        jobs = services.jobs
        slow = after(Steps={"value": 1, "count": 1000, "seconds": 0.01})
        runs = await jobs.submit(Submission(slow, timeout=0.3))
        waits = await jobs.submit(Submission(shown(1), timeout=0.1))
        for id in (waits.id, runs.id):
            job = await done(jobs, id)
            assert job.state == "failed"
            assert job.error
            assert "deadline" in job.error["message"]
        assert (await ran(jobs, shown(2), timeout=30)).state == "succeeded"


async def test_progress_is_told_and_not_stored(tmp_path: Path):
    async with served(tmp_path) as services:
        jobs = services.jobs
        with jobs.subscribe(previews=True) as feed:
            job = await jobs.submit(Submission(after(Steps={"value": 1, "count": 20, "seconds": 0.02})))
            heard = []
            while not any(isinstance(each, JobEvent) and each.kind == "succeeded" for each in heard):
                heard += await feed.next()
        kinds = {type(each).__name__ for each in heard}
        assert kinds == {"JobEvent", "Progress", "Preview"}
        assert [each.value for each in heard if isinstance(each, Progress)][-1] == 19
        assert jobs.progress(job.id) == []


async def test_a_restart_runs_what_was_left(tmp_path: Path):
    async with served(tmp_path) as services:
        await services.jobs.pause()
        ids = await submitted(services.jobs, *range(10))
    async with served(tmp_path) as services:
        jobs = services.jobs
        assert jobs.paused
        assert waiting(jobs) == ids
        await jobs.resume()
        for id in ids:
            assert (await done(jobs, id)).state == "succeeded"
        assert (await submitted(jobs, 99, front=False)) not in ids
        events = (await jobs.events(limit=10_000)).events
        assert [event.seq for event in events] == list(range(1, len(events) + 1))


async def test_the_history_can_be_forgotten_but_not_the_queue(tmp_path: Path):
    async with served(tmp_path) as services:
        jobs = services.jobs
        over = await ran(jobs, shown(1))
        await jobs.pause()
        (waits,) = await submitted(jobs, 2)
        await jobs.forget([over.id, waits])
        assert [job.id for job in (await jobs.page(Wanted())).jobs] == [waits]
        with pytest.raises(NoSuchJob):
            jobs.get(over.id)


async def test_a_large_workflow_is_checked_beside_the_loop(tmp_path: Path):
    async with served(tmp_path) as services:
        graph = {str(index): n("Add", a=(str(index - 1), 0), b=1) for index in range(1, 3000)}
        graph |= {"0": n("Number", value=0), "end": n("Show", value=("2999", 0))}
        job = await ran(services.jobs, graph)
        assert job.outputs["end"]["notes"] == {"text": ["2999"]}
