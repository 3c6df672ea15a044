import asyncio
import logging
from pathlib import Path

import pytest

from server.app.services import Services
from server.app.tally import BOUNDS, Runs
from tests.server.words import after, n, ran, served, shown

pytestmark = pytest.mark.anyio


async def counted(services: Services, jobs: int) -> None:
    """Wait until the ends of so many jobs are counted."""
    async with asyncio.timeout(20):
        while services.tally.jobs.total() < jobs:
            await asyncio.sleep(0.01)


def test_runs_are_counted_in_classes():
    runs = Runs()
    for seconds in (0.0, BOUNDS[0], BOUNDS[0] + 0.001, BOUNDS[-1] + 1):
        runs.add(seconds)
    assert (runs.classes[0], runs.classes[1], runs.classes[-1], sum(runs.classes)) == (2, 1, 1, 4)
    assert runs.seconds == pytest.approx(sum((0.0, 2 * BOUNDS[0] + 0.001, BOUNDS[-1] + 1)))


async def test_what_jobs_did_is_counted_by_type(tmp_path: Path):
    async with served(tmp_path) as services:
        for _ in range(2):
            await ran(services.jobs, shown(1))
        await ran(services.jobs, after(Fail={"value": 1}))
        await counted(services, 3)
        tally = services.tally
        assert dict(tally.jobs) == {"succeeded": 2, "failed": 1}
        assert {type: sum(runs.classes) for type, runs in tally.runs.items()} == {"Number": 1, "Show": 1}
        assert dict(tally.remembered) == {"Number": 1, "Show": 1}
        assert tally._types == {}


async def test_the_log_has_the_ids_of_jobs_and_nodes(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG, "loomis.jobs"):
        async with served(tmp_path) as services:
            graph = {"1": n("Fail", value=7), "2": n("Show", value=("1", 0))}
            await ran(services.jobs, graph, id="it")
            await counted(services, 1)
    told = [record for record in caplog.records if record.name == "loomis.jobs"]
    assert {record.job for record in told} == {"it"}
    (began,) = [record for record in told if record.message == "began"]
    assert (began.levelno, began.worker) == (logging.INFO, "cpu-0")
    (started,) = [record for record in told if record.message == "node started"]
    assert (started.levelno, started.node) == (logging.DEBUG, "1")
    (failed,) = [record for record in told if record.levelno == logging.WARNING]
    assert "no 7" in failed.message
