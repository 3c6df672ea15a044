import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.workers.contract import Uses
from tests.server.app.test_jobs import client
from tests.server.app.test_tally import counted
from tests.server.words import ran, shown

pytestmark = pytest.mark.anyio


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_prometheus_reads_the_numbers(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        for _ in range(2):
            await ran(services.jobs, shown(1))
        await counted(services, 2)
        await services.jobs.pause()
        worker = services.dispatcher.workers[0]
        assert "loomis_gpu_memory_bytes{" not in (await http.get("/metrics")).text
        worker.uses = Uses(8, 6, 2, 1)
        found = samples((await http.get("/metrics")).text)
    assert found["loomis_jobs_ended_total", "succeeded"] == 2
    assert found["loomis_jobs_ended_total", "failed"] == 0
    assert found["loomis_jobs", "queued"] == 0
    assert found["loomis_queue_paused",] == 1
    assert found["loomis_node_seconds_count", "Number"] == 1
    assert found["loomis_node_seconds_bucket", "+Inf", "Number"] == 1
    assert found["loomis_nodes_remembered_total", "Show"] == 1
    assert found["loomis_resident_bytes", "server"] > 10e6
    assert found["loomis_workers_ready",] == 1
    assert found["loomis_gpu_memory_bytes", "reserved", "cpu-0"] == 2
    assert found["loomis_store_limit_bytes",] == 20 * 2**30


async def test_without_the_extra_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    async with client(tmp_path) as (http, _):
        answer = await http.get("/metrics")
    assert answer.status_code == 404
    assert "loomis[metrics]" in answer.json()["error"]["message"]
