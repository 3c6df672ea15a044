from pathlib import Path

import pytest

from tests.server.comfy.online import client, run
from tests.server.words import after, done, n, shown, until

pytestmark = pytest.mark.anyio


async def test_jobs_are_listed_with_what_stands_for_them(tmp_path: Path):
    graph = {"1": n("Picture", colour="red"), "2": n("Show", value="x" * 2000)}
    saved = {"extra_pnginfo": {"workflow": {"id": "w1", "nodes": []}}}
    async with client(tmp_path) as (http, services):
        id = await run(http, services, graph, extra_data=saved)
        fails = await run(http, services, after(Fail={"value": 1}))
        await services.jobs.pause()
        await http.post("/prompt", json={"prompt": shown(1), "prompt_id": "waits"})
        await http.post("/prompt", json={"prompt": shown(1), "prompt_id": "never began"})
        await http.post("/queue", json={"delete": ["never began"]})
        answered = (await http.get("/api/jobs?status=completed,failed,cancelled&limit=64&offset=0")).json()
        assert answered["pagination"] == {"offset": 0, "limit": 64, "total": 2, "has_more": False}
        failed, job = answered["jobs"]
        assert (job["id"], job["status"], job["workflow_id"], job["outputs_count"]) == (id, "completed", "w1", 2)
        assert job["create_time"] <= job["execution_start_time"] <= job["execution_end_time"]
        assert job["previewable_outputs_count"] == 1
        assert job["preview_output"] == {
            "filename": "picture_00001_.png", "subfolder": "", "type": "output", "nodeId": "1", "mediaType": "images",
        }  # fmt: skip
        assert (failed["id"], failed["status"], failed["execution_error"]["node_id"]) == (fails, "failed", "1")
        assert failed["execution_error"]["current_inputs"] == {"value": ["1"]}
        live = (await http.get("/api/jobs?status=in_progress,pending&limit=200&offset=0")).json()["jobs"]
        assert [(each["id"], each["status"], each["outputs_count"]) for each in live] == [("waits", "pending", 0)]
        assert (await http.get("/api/jobs?limit=1")).json()["pagination"]["has_more"] is True
        assert [each["id"] for each in (await http.get("/api/jobs?workflow_id=w1")).json()["jobs"]] == [id]
        slowest = (await http.get("/api/jobs?sort_by=execution_duration&status=completed")).json()["jobs"]
        assert [each["id"] for each in slowest] == [id]


async def test_one_job_is_told_whole(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        id = await run(http, services, shown(7), client_id="me")
        job = (await http.get(f"/api/jobs/{id}")).json()
        assert job["workflow"]["prompt"] == shown(7)
        assert job["workflow"]["extra_data"]["client_id"] == "me"
        assert (job["outputs"], job["execution_status"]["completed"]) == ({"2": {"text": ["7"]}}, True)
        assert job["preview_output"] == {"content": "7", "nodeId": "2", "mediaType": "text"}
        missing = await http.get("/api/jobs/none")
        assert (missing.status_code, missing.json()) == (404, {"error": "Job not found"})


async def test_jobs_are_cancelled(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        long = after(Steps={"value": 1, "count": 3000, "seconds": 0.01})
        for id in ("a", "b", "c"):
            await http.post("/prompt", json={"prompt": long, "prompt_id": id})
        await until(services.jobs, "node_started")
        cancelled = (await http.post("/api/jobs/cancel", json={"job_ids": ["b", "c", "none"]})).json()
        assert cancelled == {"cancelled": True}
        assert (await http.post("/api/jobs/a/cancel")).json() == {"cancelled": True}
        assert (await done(services.jobs, "a")).state == "cancelled"
        assert (await http.post("/api/jobs/a/cancel")).json() == {"cancelled": False}


@pytest.mark.parametrize("query", ["status=lost", "sort_by=size", "limit=0", "limit=many", "sort_order=up"])
async def test_a_listing_that_cannot_be_is_refused(tmp_path: Path, query: str):
    async with client(tmp_path) as (http, _):
        answered = await http.get(f"/api/jobs?{query}")
        assert (answered.status_code, list(answered.json())) == (400, ["error"])
        assert (await http.post("/api/jobs/cancel", json={"job_ids": "all"})).status_code == 400
