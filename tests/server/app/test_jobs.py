import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from server.app.application import application
from server.app.services import Services
from tests.server.words import after, declaring, done, n, served, shown, until

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def client(folder: Path, **more: Any) -> AsyncIterator[tuple[httpx2.AsyncClient, Services]]:
    async with served(folder, **more) as services:
        transport = httpx2.ASGITransport(application(services))
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            yield http, services


async def test_a_job_is_accepted_runs_and_is_found_again(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        graph = {"1": n("Number", value=7), "2": n("Save", value=("1", 0))}
        accepted = await http.post("/api/v1/jobs", json={"workflow": graph, "labels": ["x"], "id": "mine"})
        assert accepted.status_code == 201
        assert accepted.json() | {"created": 0} == {
            "id": "mine", "state": "queued", "priority": 0, "number": 1.0, "created": 0, "began": None, "ended": None,
            "deadline": None, "targets": ["2"], "models": [], "attempts": 0, "deaths": 0, "labels": ["x"], "owner": "",
            "client": None, "worker": None, "faults": [], "outputs": {}, "error": None,
        }  # fmt: skip
        await done(services.jobs, "mine")
        job = (await http.get("/api/v1/jobs/mine")).json()
        assert job["state"] == "succeeded"
        (file,) = job["outputs"]["2"]["files"]
        assert Path(file["path"]).read_text() == "7"
        assert (await http.get("/api/v1/jobs/mine/workflow")).json()["workflow"] == graph
        again = await http.post("/api/v1/jobs", json={"workflow": graph, "labels": ["x"], "id": "mine"})
        assert again.json()["state"] == "succeeded"
        other = await http.post("/api/v1/jobs", json={"workflow": shown(1), "id": "mine"})
        assert (other.status_code, other.json()["error"]["code"]) == (409, "job_conflict")


async def test_declared_parameters_are_given_values_and_checked(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        told = []
        for parameters in ({"count": 7}, {"1.value": 8}, {}):
            accepted = await http.post("/api/v1/jobs", json={"workflow": declaring(), "parameters": parameters})
            job = await done(services.jobs, accepted.json()["id"])
            told.append(job.outputs["2"]["notes"]["text"])
        assert told == [["7"], ["8"], ["4"]]
        for parameters, word in (({"count": 10}, "at most 9"), ({"number": 1}, "names no input")):
            refused = await http.post("/api/v1/jobs", json={"workflow": declaring(), "parameters": parameters})
            assert (refused.status_code, word in refused.text) == (422, True), refused.text
        assert (await http.get("/api/v1/jobs")).json()["total"] == 3


async def test_events_can_be_read_from_a_number_on(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        for value in (1, 2):
            id = (await http.post("/api/v1/jobs", json={"workflow": shown(value)})).json()["id"]
            await done(services.jobs, id)
        found = (await http.get("/api/v1/events?limit=10000")).json()
        assert [event["seq"] for event in found["events"]] == list(range(1, found["seq"] + 1))
        assert found["pruned"] is None
        later = (await http.get(f"/api/v1/events?since={found['seq'] - 1}")).json()["events"]
        assert [event["kind"] for event in later] == ["succeeded"]
        own = (await http.get(f"/api/v1/jobs/{id}/events?since=3&limit=2")).json()["events"]
        assert {event["job"] for event in own} == {id}
        assert len(own) == 2


async def test_listings_are_filtered_and_paged(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        await services.jobs.pause()
        for value in range(5):
            await http.post("/api/v1/jobs", json={"workflow": shown(value), "owner": "me" if value % 2 else "you"})
        page = (await http.get("/api/v1/jobs?limit=2&offset=1")).json()
        assert (len(page["jobs"]), page["total"], page["more"]) == (2, 5, True)
        assert (await http.get("/api/v1/jobs?owner=me")).json()["total"] == 2
        assert (await http.get("/api/v1/jobs?state=queued,running")).json()["total"] == 5
        assert (await http.get("/api/v1/jobs?state=succeeded&state=failed")).json()["total"] == 0


async def test_where_a_job_failed_in_the_code_is_told_of_one_job_alone(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        workflow = {"1": n("Fail", value=1), "2": n("Show", value=("1", 0))}
        id = (await http.post("/api/v1/jobs", json={"workflow": workflow})).json()["id"]
        await done(services.jobs, id)
        (listed,) = (await http.get("/api/v1/jobs")).json()["jobs"]
        alone = (await http.get(f"/api/v1/jobs/{id}")).json()["error"]
        assert alone.pop("raised")["inputs"] == {"value": ["1"]}
        assert listed["error"] == alone


async def test_the_queue_is_steered(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        assert (await http.put("/api/v1/queue", json={"paused": True})).json() == {"paused": True}
        a, b, c = [(await http.post("/api/v1/jobs", json={"workflow": shown(v)})).json()["id"] for v in (1, 2, 3)]
        await http.patch(f"/api/v1/jobs/{c}", json={"front": True})
        queue = (await http.put("/api/v1/queue/order", json={"jobs": [b, a]})).json()
        assert [job["id"] for job in queue["jobs"]] == [c, b, a]
        assert (await http.post(f"/api/v1/jobs/{a}/cancel")).json()["state"] == "cancelled"
        several = (await http.post("/api/v1/jobs/cancel", json={"jobs": [b]})).json()
        assert [job["state"] for job in several["jobs"]] == ["cancelled"]
        assert (await http.delete(f"/api/v1/jobs/{a}")).status_code == 204
        assert (await http.get(f"/api/v1/jobs/{a}")).status_code == 404
        await http.put("/api/v1/queue", json={"paused": False})
        assert (await done(services.jobs, c)).state == "succeeded"


async def test_a_job_is_in_the_queue_until_its_end_can_be_read(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        workflow = after(Nap={"value": 1, "seconds": 0.3})
        id = (await http.post("/api/v1/jobs", json={"workflow": workflow})).json()["id"]
        await until(services.jobs, "node_started")
        database = tmp_path / "data" / "jobs" / "jobs.sqlite"
        with closing(sqlite3.connect(database, isolation_level=None, timeout=10)) as other:
            other.execute("BEGIN IMMEDIATE")
            while id in services.jobs.live.jobs:
                await asyncio.sleep(0.01)
            (listed,) = (await http.get("/api/v1/queue")).json()["jobs"]
            assert (listed["id"], listed["state"]) == (id, "running")
            other.execute("ROLLBACK")
        assert (await done(services.jobs, id)).state == "succeeded"
        assert (await http.get("/api/v1/queue")).json()["jobs"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/api/v1/jobs", b"{", 422, "input"),
        ("POST", "/api/v1/jobs", b'{"workflow": []}', 422, "input"),
        ("POST", "/api/v1/jobs", b'{"workflow": {}, "prioritty": 1}', 422, "input"),
        ("POST", "/api/v1/jobs", b'{"workflow": {}, "timeout": -1}', 422, "input"),
        ("POST", "/api/v1/jobs", b'{"workflow": {}}', 422, "workflow"),
        ("POST", "/api/v1/jobs", b'{"workflow": {"1": {"class_type": "Nothing"}}}', 422, "invalid_workflow"),
        ("GET", "/api/v1/jobs/none", None, 404, "no_such_job"),
        ("POST", "/api/v1/jobs/none/cancel", None, 404, "no_such_job"),
        ("GET", "/api/v1/jobs?limit=0", None, 422, "input"),
        ("GET", "/api/v1/jobs?state=lost", None, 422, "input"),
        ("GET", "/api/v1/events?since=x", None, 422, "input"),
        ("PUT", "/api/v1/queue/order", b'{"jobs": ["none"]}', 404, "no_such_job"),
    ],
)
async def test_what_cannot_be_used_is_one_clear_error(
    tmp_path: Path, method: str, path: str, body: bytes | None, status: int, code: str
):
    async with client(tmp_path) as (http, services):
        answer = await http.request(method, path, content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert services.jobs.seq == 0


async def test_progress_shows_while_a_job_runs(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        graph = after(Steps={"value": 1, "count": 1000, "seconds": 0.01})
        id = (await http.post("/api/v1/jobs", json={"workflow": graph})).json()["id"]
        await until(services.jobs, "node_started")
        with services.jobs.subscribe() as feed:
            await feed.next()
        found = (await http.get(f"/api/v1/jobs/{id}")).json()
        assert found["progress"]["1"][1] == 1000
        assert found["state"] == "running"
        await http.post(f"/api/v1/jobs/{id}/cancel")
        assert (await done(services.jobs, id)).state == "cancelled"
