from pathlib import Path
from typing import Any

import pytest

from tests.server.comfy.online import client
from tests.server.comfy.v2.test_assets import send
from tests.server.comfy.v2.test_jobs import SAVED, code, ended, picture, submit
from tests.server.words import n, shown

pytestmark = pytest.mark.anyio


def reference(id: str, **more: str) -> dict[str, Any]:
    return {"__type": "core/ASSET", "info": {"id": id, **more}}


async def test_a_workflow_names_assets(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        asset = (await send(http, b"hello", file_path="sub/b.txt")).json()
        made = await ended(http, services, await submit(http, {"1": n("Picture", colour="red")}))
        output = made["outputs"][0]["id"]
        graph = {
            "1": n("Show", value=reference(asset["id"])),
            "2": n("Show", value=reference(output)),
            "3": n("Show", value=reference("gone", hash=asset["hash"])),
        }
        job = await ended(http, services, await submit(http, graph))
        texts = [(await http.get(each["url"])).text for each in job["outputs"]]
        assert texts == ["sub/b.txt", "picture_00001_.png [output]", "sub/b.txt"]
        sent = (await http.get(f"/api/v2/jobs/{job['id']}/workflow")).json()["workflow"]
        assert sent["1"]["inputs"]["value"] == "sub/b.txt"
        for bad in (reference("gone"), {"__type": "core/ASSET"}, {"__type": "core/ASSET", "info": 5}):
            answered = await http.post("/api/v2/jobs", json={"workflow": {"1": n("Show", value=bad)}})
            assert code(answered) == (422, "missing_asset")
        assert answered.json()["error"]["details"] == {"missing_ids": ["5"]}


async def test_assets_may_be_deep_and_missing_ones_change_nothing(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        asset = (await send(http, b"hello")).json()
        deep: Any = [reference(asset["id"])]
        for _ in range(400):
            deep = [deep]
        job = await submit(http, shown(1) | {"9": {"class_type": "Show", "inputs": {"value": deep}}})
        assert (await ended(http, services, job))["status"] == "succeeded"
        workflow = {"1": n("Show", value=[reference(asset["id"]), {"a": reference("gone")}])}
        answered = await http.post("/api/v2/jobs", json={"workflow": workflow})
        assert answered.json()["error"]["details"] == {"missing_ids": ["gone"]}


async def test_an_asset_may_carry_the_whole_workflow(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        asset = (await send(http, picture(prompt=shown(7), workflow=SAVED), file_path="a.png")).json()
        job = await ended(http, services, await submit(http, reference(asset["id"])))
        assert (await http.get(job["outputs"][0]["url"])).text == "7"
        for bad in (reference("gone"), reference(job["outputs"][0]["id"])):
            assert code(await http.post("/api/v2/jobs", json={"workflow": bad})) == (422, "missing_asset")
