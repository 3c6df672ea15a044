import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from server.app.services import Services
from tests.server.comfy.online import client
from tests.server.online import online
from tests.server.words import after, done, n, shown, until

pytestmark = pytest.mark.anyio

SAVED = {
    "version": 0.4,
    "nodes": [
        {"id": 1, "type": "Number", "widgets_values": [7], "outputs": [{"name": "INT", "type": "INT", "links": [1]}]},
        {"id": 2, "type": "Show", "inputs": [{"name": "value", "type": "*", "link": 1}]},
    ],
    "links": [[1, 1, 0, 2, 0, "INT"]],
}  # fmt: skip
"""``shown(7)`` as the editor saves it."""


def picture(**texts: Any) -> bytes:
    """Return a PNG with texts in it."""
    info, file = PngInfo(), BytesIO()
    for name, text in texts.items():
        info.add_text(name, json.dumps(text))
    Image.new("RGB", (4, 4)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


async def submit(http: httpx2.AsyncClient, workflow: Any, **more: Any) -> dict[str, Any]:
    answered = await http.post("/api/v2/jobs", json={"workflow": workflow, **more})
    assert answered.status_code == 201, answered.text
    found: dict[str, Any] = answered.json()
    return found


async def ended(http: httpx2.AsyncClient, services: Services, job: dict[str, Any]) -> dict[str, Any]:
    await done(services.jobs, job["id"])
    found: dict[str, Any] = (await http.get(job["urls"]["self"])).json()
    return found


def code(answered: httpx2.Response) -> tuple[int, str]:
    return answered.status_code, answered.json()["error"]["code"]


async def test_a_job_runs_and_its_outputs_are_assets(tmp_path: Path):
    graph = {"1": n("Picture", colour="red"), "2": n("Show", value="a text")}
    async with client(tmp_path) as (http, services):
        job = await submit(http, graph)
        assert (job["status"], job["outputs"], job["error"], job["progress"]) == ("queued", [], None, None)
        job = await ended(http, services, job)
        assert job["status"] == "succeeded"
        assert job["created_at"] <= job["started_at"] <= job["completed_at"] < job["expires_at"]
        assert set(job["metrics"]) == {"queue_ms", "execution_ms"}
        image, text = job["outputs"]
        told = ("node_id", "name", "type", "content_type", "job_id")
        assert [image[name] for name in told] == ["1", "picture_00001_.png", "image", "image/png", job["id"]]
        assert (text["type"], text["content_type"], text["size_bytes"]) == ("text", "text/plain", 6)
        assert image["url"] == f"http://127.0.0.1/api/v2/assets/{image['id']}/content"
        whole = await http.get(image["url"])
        assert (whole.content[:4], len(whole.content)) == (b"\x89PNG", image["size_bytes"])
        part = await http.get(image["url"], headers={"range": "bytes=1-3"})
        assert (part.status_code, part.content) == (206, b"PNG")
        assert (await http.get(text["url"])).text == "a text"
        about = (await http.get(f"/api/v2/assets/{image['id']}")).json()
        assert (about["job_id"], about["size_bytes"]) == (job["id"], image["size_bytes"])
        assert code(await http.delete(f"/api/v2/assets/{image['id']}")) == (403, "forbidden")
        for file in (tmp_path / "out").iterdir():
            file.unlink()
        assert code(await http.get(image["url"])) == (404, "output_unavailable")


async def test_a_workflow_comes_in_any_format(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        bodies: list[Any] = [
            {"json": {"workflow": SAVED}},
            {"content": picture(prompt=shown(7), workflow=SAVED), "headers": {"content-type": "image/png"}},
            {"content": picture(workflow=SAVED)},
        ]
        for body in bodies:
            answered = await http.post("/api/v2/jobs", **body)
            assert answered.status_code == 201, answered.text
            job = await ended(http, services, answered.json())
            text = await http.get(job["outputs"][0]["url"])
            assert text.text == "7"
        first, second, third = (await http.get("/api/v2/jobs")).json()["jobs"]
        formats = [(await http.get(f"/api/v2/jobs/{job['id']}/workflow")).json() for job in (third, second, first)]
        assert formats == [
            {"workflow": SAVED, "format": "save"},
            {"workflow": shown(7), "format": "api"},
            {"workflow": SAVED, "format": "save"},
        ]
        assert json.loads(services.jobs.sent(second["id"])["extra"]) == {"workflow": SAVED}


async def test_a_job_that_cannot_be_is_refused(tmp_path: Path):
    graph = shown(1)
    cases: list[tuple[Any, int, str]] = [
        ({}, 422, "invalid_workflow"),
        ({"workflow": [1]}, 422, "invalid_workflow"),
        ({"workflow": {}}, 422, "invalid_workflow"),
        ({"workflow": graph, "webhook_url": "http://127.0.0.1/"}, 422, "invalid_workflow"),
        ({"workflow": graph, "inputs": {}}, 422, "invalid_workflow"),
        ({"workflow": graph, "extra_data": {"other": 1}}, 400, "invalid_request"),
        ({"workflow": graph, "extra_data": {"api_key_comfy_org": None}}, 400, "invalid_request"),
        ({"workflow": graph, "metadata": {"a": 1}}, 422, "metadata_invalid"),
        ({"workflow": graph, "metadata": {str(at): "x" for at in range(17)}}, 422, "metadata_invalid"),
        ({"workflow": graph, "priority": "high"}, 400, "invalid_request"),
        ([], 400, "invalid_request"),
    ]
    async with client(tmp_path) as (http, services):
        for body, status, name in cases:
            assert code(await http.post("/api/v2/jobs", json=body)) == (status, name), body
        assert code(await http.post("/api/v2/jobs", content=b"{")) == (400, "invalid_request")
        assert code(await http.post("/api/v2/jobs", content=picture())) == (422, "invalid_workflow")
        faulty = await http.post("/api/v2/jobs", json={"workflow": {"5": n("Show")}})
        assert code(faulty) == (422, "invalid_workflow")
        (fault,) = faulty.json()["error"]["details"]["node_errors"]["5"]
        assert (fault["field"], fault["reason"]) == ("value", "required_input_missing")
        unknown = (await http.post("/api/v2/jobs", json={"workflow": {"5": n("Pictur")}})).json()["error"]
        assert "Did you mean Picture?" in unknown["message"]
        assert "Did you mean Picture?" in unknown["details"]["node_errors"]["5"][0]["message"]
        assert (await services.jobs.page()).total == 0
        job = await submit(http, graph, extra_data={"api_key_comfy_org": "a secret"})
        assert (await ended(http, services, job))["status"] == "succeeded"
        assert b"a secret" not in services.jobs.store.body(job["id"])


async def test_outputs_that_are_not_valid_are_left_out_and_told(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        job = await ended(http, services, await submit(http, shown(1) | {"9": n("Show")}))
        assert (job["status"], len(job["outputs"]), list(job["node_errors"])) == ("succeeded", 1, ["9"])


async def test_an_idempotency_key_is_good_for_one_job(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        headers = {"idempotency-key": "once"}
        body = {"workflow": shown(1)}
        bad = await http.post("/api/v2/jobs", json={"workflow": {}}, headers=headers)
        assert bad.status_code == 422
        first = await http.post("/api/v2/jobs", json=body, headers=headers)
        again = await http.post("/api/v2/jobs", json=body, headers=headers)
        assert (first.status_code, code(again)) == (201, (422, "idempotency_key_reuse"))
        assert again.json()["error"]["details"] == {"job_id": first.json()["id"]}
        assert code(await http.post("/api/v2/jobs", json=body, headers={"idempotency-key": "x" * 300}))[0] == 400
        assert (await services.jobs.page()).total == 1


async def test_a_job_that_fails_says_why(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        job = await ended(http, services, await submit(http, after(Fail={"value": 3})))
        assert job["status"] == "failed"
        error = job["error"]
        assert (error["code"], error["node_id"], error["class_type"]) == ("node_execution_error", "1", "Fail")
        assert "no 3" in error["message"]
        assert "raise ValueError" in error["traceback"].splitlines()[-2] + error["traceback"].splitlines()[-1]
        assert code(await http.get("/api/v2/jobs/none")) == (404, "not_found")


async def test_a_job_is_cancelled_as_it_waits_and_as_it_runs(tmp_path: Path):
    long = after(Steps={"value": 1, "count": 3000, "seconds": 0.01})
    async with client(tmp_path) as (http, services):
        runs, waits = await submit(http, long), await submit(http, shown(1))
        await until(services.jobs, "node_started")
        waits = (await http.get(waits["urls"]["self"])).json()
        assert (waits["status"], waits["queue_position"]) == ("queued", 1)
        now = (await http.get(runs["urls"]["self"])).json()
        assert (now["status"], now["progress"]["current_node_class"]) == ("running", "Steps")
        assert (now["progress"]["nodes_done"], now["progress"]["nodes_total"]) == (0, 2)
        assert (await http.post(waits["urls"]["cancel"])).json()["status"] == "canceled"
        assert (await http.post(runs["urls"]["cancel"])).json()["status"] in ("canceling", "canceled")
        assert (await ended(http, services, runs))["status"] == "canceled"
        assert (await http.post(runs["urls"]["cancel"])).json()["status"] == "canceled"
        assert code(await http.post("/api/v2/jobs/none/cancel")) == (404, "not_found")


async def test_jobs_are_listed_page_by_page(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        ids = []
        for number in range(5):
            labels = {"who": "me", "run": str(number % 2)}
            job = await submit(http, shown(number), metadata=labels, priority=number)
            assert (job["metadata"], job.get("priority", 0)) == (labels, number)
            ids.append((await ended(http, services, job))["id"])
        first = (await http.get("/api/v2/jobs?limit=2")).json()
        await submit(http, shown(9), metadata="a label")
        second = (await http.get(f"/api/v2/jobs?limit=2&cursor={first['next_cursor']}")).json()
        last = (await http.get(f"/api/v2/jobs?limit=2&cursor={second['next_cursor']}")).json()
        pages = [[job["id"] for job in page["jobs"]] for page in (first, second, last)]
        assert pages == [ids[:2:-1], ids[2:0:-1], ids[:1]]
        assert "next_cursor" not in last
        odd = (await http.get("/api/v2/jobs", params={"metadata[run]": "1", "metadata[who]": "me"})).json()["jobs"]
        assert [job["id"] for job in odd] == [ids[3], ids[1]]
        assert (await http.get("/api/v2/jobs?status=failed,canceled")).json()["jobs"] == []
        assert (await http.get("/api/v2/jobs?status=expired")).json()["jobs"] == []
        assert (await http.get("/api/v2/jobs?limit=1")).json()["jobs"][0]["metadata"] == "a label"
        for query in ("limit=0", "limit=many", "status=lost"):
            assert code(await http.get(f"/api/v2/jobs?{query}")) == (400, "invalid_request")
        assert code(await http.get("/api/v2/jobs?cursor=none")) == (400, "invalid_cursor")
        assert (await http.get("/api/v2/health")).json() == {"status": "healthy"}


VALUES = st.sampled_from(
    [{"__type": "core/ASSET"}, {"__type": "core/ASSET", "info": {"id": "W10"}}, ["1", 0], 5, "", None]
)
JSON = st.recursive(VALUES, lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=3), parts))
NAMES = ("workflow", "metadata", "priority", "extra_data", "inputs", "webhook_url", "other")
NODE = st.fixed_dictionaries({"class_type": st.sampled_from(["Show", "Number", "None"]), "inputs": JSON})
BODIES = st.fixed_dictionaries({"workflow": st.dictionaries(st.sampled_from("123"), NODE) | JSON}) | st.dictionaries(
    st.sampled_from(NAMES), JSON
)


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    with online(tmp_path_factory.mktemp("server")) as server, httpx2.Client(base_url=server.url) as clients:
        yield clients


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(BODIES | JSON, st.binary(max_size=3))
@example({"workflow": {"__type": "core/ASSET", "info": {"id": [[]]}}}, b"")
@example({"workflow": {"nodes": [None]}}, b"\x89PNG\r\n\x1a\n")
def test_any_body_is_taken_or_refused(clients: httpx2.Client, body: Any, noise: bytes):
    for content in (json.dumps(body).encode(), noise + json.dumps(body).encode()):
        answered = clients.post("/api/v2/jobs", content=content)
        assert answered.status_code in (201, 400, 422), answered.text
        assert answered.status_code == 201 or set(answered.json()["error"]) == {"code", "message", "details"}
