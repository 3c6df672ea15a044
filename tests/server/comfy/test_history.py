import asyncio
from pathlib import Path

import pytest

from tests.server.comfy.online import client, run
from tests.server.words import after, done, n, shown, until

pytestmark = pytest.mark.anyio


async def test_what_ended_is_told_with_outputs_and_messages(tmp_path: Path):
    graph = {"1": n("Picture", colour="red"), "2": n("Number", value=3), "3": n("Show", value=("2", 0))}
    async with client(tmp_path) as (http, services):
        id = await run(http, services, graph)
        found = (await http.get(f"/history/{id}")).json()
        entry = found[id]
        assert entry["prompt"][:3] == [1, id, graph]
        assert entry["outputs"] == {
            "1": {"images": [{"filename": "picture_00001_.png", "subfolder": "", "type": "output"}]},
            "3": {"text": ["3"]},
        }
        assert entry["meta"]["3"] == {"node_id": "3", "display_node": "3", "parent_node": None, "real_node_id": "3"}
        assert (entry["status"]["status_str"], entry["status"]["completed"]) == ("success", True)
        kinds = [kind for kind, _ in entry["status"]["messages"]]
        assert kinds == ["execution_start", "execution_cached", "execution_success"]
        again = await run(http, services, graph)
        entry = (await http.get("/api/history")).json()[again]
        assert entry["outputs"] == found[id]["outputs"]
        assert sorted(entry["status"]["messages"][1][1]["nodes"]) == ["1", "2", "3"]


async def test_a_failure_says_where_and_why(tmp_path: Path):
    graph = after(Fail={"value": 9}) | {"3": n("Number", value=1), "4": n("Show", value=("3", 0))}
    async with client(tmp_path) as (http, services):
        id = await run(http, services, graph)
        status = (await http.get(f"/history/{id}")).json()[id]["status"]
        assert (status["status_str"], status["completed"]) == ("error", False)
        kind, error = status["messages"][-1]
        assert (kind, error["node_id"], error["node_type"]) == ("execution_error", "1", "Fail")
        assert (error["exception_type"], "no 9" in error["exception_message"]) == ("ValueError", True)
        assert (error["current_inputs"], "raise ValueError" in error["traceback"][-1]) == ({"value": ["9"]}, True)
        assert (await http.get(f"/api/jobs/{id}")).json()["execution_error"] == error


async def test_entries_are_counted_from_either_end_and_removed(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        for id in ("a", "b", "c", "d"):
            await run(http, services, shown(1), prompt_id=id)
        await services.jobs.pause()
        await http.post("/prompt", json={"prompt": shown(2), "prompt_id": "never began"})
        await http.post("/queue", json={"clear": True})

        async def ids(query: str = "") -> list[str]:
            return list((await http.get(f"/history{query}")).json())

        assert await ids() == ["a", "b", "c", "d"]
        assert await ids("?max_items=2") == ["c", "d"]
        assert await ids("?max_items=2&offset=1") == ["b", "c"]
        assert await ids("?offset=3") == ["d"]
        assert await ids("?max_items=0") == []
        assert (await http.get("/history?max_items=many")).status_code == 422
        assert (await http.get("/history/none")).json() == {}
        await http.post("/history", json={"delete": ["b", "none"]})
        assert await ids() == ["a", "c", "d"]
        await http.post("/history", json={"clear": True})
        assert await ids() == []


async def test_a_job_is_in_the_history_before_the_queue_is_empty(tmp_path: Path):
    async with client(tmp_path) as (http, _):
        id = (await http.post("/prompt", json={"prompt": shown(1)})).json()["prompt_id"]
        while (await http.get("/prompt")).json()["exec_info"]["queue_remaining"]:
            await asyncio.sleep(0.001)
        assert id in (await http.get(f"/history/{id}")).json()


async def test_an_interrupted_job_is_an_error(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        graph = after(Steps={"value": 1, "count": 2000, "seconds": 0.01})
        await http.post("/prompt", json={"prompt": graph, "prompt_id": "a"})
        await until(services.jobs, "node_started")
        await http.post("/interrupt")
        await done(services.jobs, "a")
        status = (await http.get("/history/a")).json()["a"]["status"]
        assert (status["status_str"], status["completed"]) == ("error", False)
        kind, data = status["messages"][-1]
        assert (kind, data["node_id"], data["node_type"]) == ("execution_interrupted", "1", "Steps")
