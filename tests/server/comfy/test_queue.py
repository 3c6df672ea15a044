import asyncio
from pathlib import Path

import pytest

from tests.server.comfy.online import client, run
from tests.server.words import after, done, n, shown, until

pytestmark = pytest.mark.anyio

LONG = after(Steps={"value": 1, "count": 2000, "seconds": 0.01})


async def test_the_queue_is_listed_cleared_and_interrupted(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        jobs = services.jobs
        for id, graph in (("runs", LONG), ("a", shown(1)), ("b", shown(2)), ("c", shown(3))):
            await http.post("/prompt", json={"prompt": graph, "prompt_id": id})
        await until(jobs, "node_started")
        queue = (await http.get("/api/queue")).json()
        assert [item[1] for item in queue["queue_running"]] == ["runs"]
        assert [item[1:3] for item in queue["queue_pending"]] == [["a", shown(1)], ["b", shown(2)], ["c", shown(3)]]
        assert queue["queue_running"][0][4] == ["2"]
        await http.post("/queue", json={"delete": ["b", "runs", "nothing"]})
        assert [job.id for job in jobs.queue()] == ["runs", "a", "c"]
        await http.post("/interrupt", json={"prompt_id": "a"})
        assert [job.id for job in jobs.queue()] == ["runs", "a", "c"]
        await http.post("/queue", json={"clear": True})
        assert (await http.get("/prompt")).json() == {"exec_info": {"queue_remaining": 1}}
        assert (await http.post("/interrupt", content=b"no JSON")).status_code == 200
        assert (await done(jobs, "runs")).state == "cancelled"


async def test_one_job_at_most_is_shown_as_running(tmp_path: Path):
    async with client(tmp_path, workers=2) as (http, services):
        for id in ("a", "b", "c"):
            await http.post("/prompt", json={"prompt": LONG, "prompt_id": id})
        await until(services.jobs, "began", count=2)
        queue = (await http.get("/queue")).json()
        assert [[item[1] for item in part] for part in queue.values()] == [["a"], ["b", "c"]]
        await http.post("/queue", json={"clear": True})
        assert (await done(services.jobs, "b")).state == "cancelled"
        await http.post("/interrupt", json={"prompt_id": "a"})
        assert (await done(services.jobs, "a")).state == "cancelled"


async def test_models_are_let_go_of(tmp_path: Path):
    async with client(tmp_path, workers=2) as (http, services):

        async def held() -> int:
            (device,) = (await http.get("/system_stats")).json()["devices"]
            return int(device["torch_vram_total"])

        async def becomes(nbytes: int) -> None:
            async with asyncio.timeout(20):
                while await held() != nbytes:
                    await asyncio.sleep(0.01)

        await run(http, services, after(Load={"value": 1, "nbytes": 100}))
        await becomes(100)
        assert (await http.post("/free", json={})).status_code == 200
        await run(http, services, shown(1))
        assert await held() == 100
        seq = services.jobs.seq
        await http.post("/prompt", json={"prompt": LONG, "prompt_id": "long"})
        await until(services.jobs, "node_started", since=seq)
        assert (await http.post("/free", json={"unload_models": True})).status_code == 200
        await http.post("/interrupt")
        await becomes(0)


async def test_remembered_values_are_let_go_of_and_stay_on_disk(tmp_path: Path):
    large = 64 * 2**20
    graph = {"1": n("Repeat", text="x", count=large), "2": n("Length", text=("1", 0)), "3": n("Show", value=("2", 0))}
    async with client(tmp_path, process=True) as (http, services):

        async def resident() -> int:
            (worker,) = (await http.get("/api/v1/workers")).json()["workers"]
            return int(worker["rss"])

        await run(http, services, graph)
        before = await resident()
        assert (await http.post("/free", json={"free_memory": True})).status_code == 200
        async with asyncio.timeout(20):
            while await resident() > before - large // 2:
                await asyncio.sleep(0.02)
        id = await run(http, services, graph)
        told = (await http.get(f"/history/{id}")).json()[id]["status"]["messages"]
        assert dict(told)["execution_cached"]["nodes"] == ["1", "2", "3"]


@pytest.mark.parametrize("body", ["{", "[]", '{"delete": "all"}', '{"delete": [1]}'])
async def test_what_cannot_be_used_changes_nothing(tmp_path: Path, body: str):
    async with client(tmp_path) as (http, services):
        await services.jobs.pause()
        await http.post("/prompt", json={"prompt": shown(1)})
        answered = await http.post("/queue", content=body)
        assert (answered.status_code, answered.json()["error"]["code"]) == (422, "input")
        assert services.jobs.counts().queued == 1
