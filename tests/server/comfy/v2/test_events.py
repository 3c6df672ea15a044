import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from server.comfy.v2 import events
from tests.server.comfy.v2.test_jobs import code
from tests.server.online import Online, online
from tests.server.words import after, n, shown

pytestmark = pytest.mark.anyio


async def read(lines: AsyncIterator[str]) -> list[tuple[str, Any]]:
    """Return events until the stream ends."""
    found, kind = [], ""
    async for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            found.append((kind, json.loads(value)))
    return found


async def followed(server: Online, workflow: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    async with httpx2.AsyncClient(base_url=server.url, timeout=20) as http:
        job = (await http.post("/api/v2/jobs", json={"workflow": workflow})).json()
        async with http.stream("GET", job["urls"]["events"]) as answered:
            assert answered.headers["content-type"].startswith("text/event-stream")
            return job, await read(answered.aiter_lines())


async def test_a_job_is_told_from_its_beginning_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(events, "PACE", 0.05)
    graph = after(Steps={"value": 4, "count": 15, "seconds": 0.03}) | {"3": n("Picture", colour="red")}
    with online(tmp_path) as server:
        job, told = await followed(server, graph)
        states = [data["status"] for kind, data in told if kind == "status"]
        assert states[-2:] == ["running", "succeeded"]
        assert told[-1] == ("status", {"status": "succeeded"})
        progress = [data for kind, data in told if kind == "progress"]
        assert (progress[-1]["value"], progress[-1]["nodes_done"], progress[-1]["nodes_total"]) == (1.0, 3, 3)
        steps = [data["step"] for data in progress if "step" in data]
        assert steps == sorted(steps) and 0 < len(steps) <= 15
        assert all(data["current_node_class"] == "Steps" for data in progress if "step" in data)
        assert next(data["content_type"] for kind, data in told if kind == "preview") == "image/jpeg"
        outputs = [data["name"] for kind, data in told if kind == "output"]
        assert sorted(outputs) == ["2_text_0.txt", "picture_00001_.png"]
        again, late = httpx2.get(f"{server.url}{job['urls']['events']}"), []
        assert again.status_code == 200
        late = [line.removeprefix("event: ") for line in again.text.splitlines() if line.startswith("event")]
        assert late == ["output", "output", "status"]


async def test_who_comes_late_hears_where_the_job_stands(tmp_path: Path):
    long = after(Steps={"value": 4, "count": 3000, "seconds": 0.01}) | {"3": n("Picture", colour="red")}
    with online(tmp_path) as server:
        async with httpx2.AsyncClient(base_url=server.url, timeout=20) as http:
            job = (await http.post("/api/v2/jobs", json={"workflow": long})).json()
            behind = (await http.post("/api/v2/jobs", json={"workflow": shown(1)})).json()
            while not (await http.get(job["urls"]["self"])).json()["outputs"]:
                pass
            async with http.stream("GET", behind["urls"]["events"]) as answered:
                lines = answered.aiter_lines()
                assert await anext(lines) == "event: status"
                assert await anext(lines) == 'data: {"status":"queued","queue_position":1}'
            async with http.stream("GET", job["urls"]["events"]) as answered:
                lines = answered.aiter_lines()
                first = [await anext(lines) for _ in range(4)]
                assert first[:2] + first[3:] == ["event: status", 'data: {"status":"running"}', "event: output"]
                await http.post(job["urls"]["cancel"])
                assert (await read(lines))[-1] == ("status", {"status": "canceled"})


async def test_only_so_many_follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("server.app.application.MOST_STREAMS", 1)
    with online(tmp_path) as server:
        server.do(server.services.jobs.pause())
        async with httpx2.AsyncClient(base_url=server.url, timeout=20) as http:
            job = (await http.post("/api/v2/jobs", json={"workflow": shown(1)})).json()
            async with http.stream("GET", job["urls"]["events"]) as answered:
                lines = answered.aiter_lines()
                await anext(lines)
                refused = await http.get(job["urls"]["events"])
                assert code(refused) == (429, "too_many_streams")
                assert refused.headers["retry-after"] == "5"
            assert code(await http.get("/api/v2/jobs/none/events")) == (404, "not_found")
