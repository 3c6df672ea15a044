"""Routes of batches, and what a kill of the server leaves of one."""

import json
import time
from collections import Counter
from pathlib import Path

import httpx2
import pytest

from tests.server.online import online
from tests.server.serving import ServerProcess
from tests.server.words import n

GRAPH = {"1": n("Number", value=1), "2": n("Save", value=("1", 0))}


def test_a_batch_over_http(tmp_path: Path):
    with online(tmp_path) as server, httpx2.Client(base_url=server.url) as http:
        body = {"workflow": GRAPH, "rows": [{"value": 7}, {"value": "x"}], "out": "s/{row}", "id": "mine"}
        made = http.post("/api/v1/batches", json=body)
        assert (made.status_code, made.json()["state"], made.json()["total"]) == (201, "running", 2)
        while (found := http.get("/api/v1/batches/mine").json())["state"] == "running":
            time.sleep(0.02)
        assert (found["state"], found["done"], found["failed"], found["folder"]) == ("failed", 1, 1, "s")
        rows = http.get("/api/v1/batches/mine/rows").json()["rows"]
        assert [(row["row"], row["state"]) for row in rows] == [(1, "done"), (2, "failed")]
        assert http.get("/api/v1/files/output/s/1.txt").text == "7"
        assert http.get("/api/v1/batches").json()["total"] == 1
        assert http.post("/api/v1/batches/mine/cancel").json()["state"] == "failed"
        assert http.delete("/api/v1/batches/mine").status_code == 204
        assert http.get("/api/v1/batches/mine").status_code == 404


@pytest.mark.parametrize(
    ("more", "input"),
    [
        ({"count": 0}, "count"),
        ({"rows": [1]}, "rows"),
        ({"grid": {"value": 3}}, "grid"),
        ({"nonsense": 1}, "nonsense"),
        ({"out": "../{row}"}, None),
        ({"grid": {"value": "[1"}}, None),
        ({"grid": {"value": "0..1000000000000000"}}, None),
        ({"grid": {"value": f"0..{2**70}"}}, None),
        ({"grid": {f"{name}": "0..999999" for name in range(800)}}, None),
        ({"rows": [{}] * 1000, "count": 1_000_000}, None),
        ({"values": {f"{name}": 1 for name in range(50)}, "count": 1_000_000}, None),
        ({"out": "x/{row:2000000000}"}, None),
        ({"id": "../../x", "out": "x/{row}"}, "id"),
        ({"id": "a/b"}, "id"),
        ({"id": "{row}"}, "id"),
    ],
)
def test_what_is_refused(tmp_path: Path, more, input):
    with online(tmp_path) as server, httpx2.Client(base_url=server.url) as http:
        refused = http.post("/api/v1/batches", json={"workflow": GRAPH} | more)
        assert refused.status_code == 422
        assert (refused.json()["error"].get("input") or "").partition(".")[0] == (input or "")
        assert http.get("/api/v1/batches").json() == {"batches": [], "total": 0}


def test_a_batch_that_is_killed_with_its_server_ends_with_every_row_once(tmp_path: Path):
    log, count = tmp_path / "log", 60
    graph = {"1": n("Log", value=1, path=str(log), seconds=0.01), "2": n("Save", value=("1", 0))}
    manifest = tmp_path / "out" / "k" / "manifest.jsonl"
    with ServerProcess(tmp_path) as server:
        body = {"id": "k", "workflow": graph, "grid": {"1.value": f"1..{count}"}, "out": "k/{1.value}"}
        server.call("POST", "/api/v1/batches", body)
        for rows in (5, 20, 40):
            server.wait_for(lambda rows=rows: manifest.exists() and len(manifest.read_bytes().splitlines()) > rows)
            server.kill()
            server.start()
        found = server.wait_for(lambda: (now := server.call("GET", "/api/v1/batches/k"))["state"] != "running" and now)
        assert (found["state"], found["failed"], found["done"] + found["skipped"]) == ("succeeded", 0, count)
        told = Counter(event["data"]["row"] for event in server.events() if event["kind"] == "row")
    lines = [json.loads(line) for line in manifest.read_bytes().splitlines()[1:]]
    assert Counter((line["row"], line["state"]) for line in lines) == {(row, "done"): 1 for row in range(1, count + 1)}
    names = {path.name for path in manifest.parent.iterdir() if not path.name.startswith(".")}
    assert names == {"manifest.jsonl", *(f"{row}.txt" for row in range(1, count + 1))}
    assert set(Counter(log.read_text().split())) == {str(row) for row in range(1, count + 1)}
    assert max(told.values()) == 1 and len(told) >= count - 3, "of a row that ends with the server the fact may be lost"
