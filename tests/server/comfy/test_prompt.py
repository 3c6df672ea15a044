import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.server.comfy.online import client, run
from tests.server.words import done, n, shown

pytestmark = pytest.mark.anyio

ID = "6f1f5fd5-7d3d-4a7a-8d6b-30a6ad0a0b4e"


async def test_a_prompt_is_queued_and_runs(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        for path, value in (("/prompt", 1), ("/api/prompt", 2)):
            answered = (await http.post(path, json={"prompt": shown(value), "client_id": "me"})).json()
            assert answered == {"prompt_id": answered["prompt_id"], "number": value, "node_errors": {}}
            job = await done(services.jobs, answered["prompt_id"])
            assert (job.client, job.outputs["2"]["notes"]) == ("me", {"text": [str(value)]})
        assert (await http.get("/prompt")).json() == {"exec_info": {"queue_remaining": 0}}


async def test_a_client_may_have_no_name_yet(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        for client_id in ("", None):
            job = services.jobs.get(await run(http, services, shown(1), client_id=client_id))
            assert (job.client, job.state) == (None, "succeeded")


async def test_a_saved_workflow_runs_too(tmp_path: Path):
    saved = {
        "version": 0.4,
        "nodes": [
            {"id": 1, "type": "Number", "widgets_values": [7],
             "outputs": [{"name": "INT", "type": "INT", "links": [1]}]},
            {"id": 2, "type": "Show", "inputs": [{"name": "value", "type": "*", "link": 1}]},
        ],
        "links": [[1, 1, 0, 2, 0, "INT"]],
    }  # fmt: skip
    async with client(tmp_path) as (http, services):
        id = await run(http, services, saved)
        assert services.jobs.get(id).outputs["2"]["notes"] == {"text": ["7"]}


async def test_the_place_in_the_queue_is_the_clients(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        await services.jobs.pause()
        for id, more in (("a", {}), ("b", {"front": True}), ("c", {"number": 0.5}), ("d", {"front": None})):
            answered = await http.post("/prompt", json={"prompt": shown(1), "prompt_id": id, **more})
            assert answered.json()["prompt_id"] == id
        pending = (await http.get("/queue")).json()["queue_pending"]
        assert [(item[0], item[1]) for item in pending] == [(-1, "b"), (0.5, "c"), (1, "a"), (2, "d")]


async def test_only_wanted_outputs_run(tmp_path: Path):
    graph = {"1": n("Number", value=1), "2": n("Show", value=("1", 0)), "3": n("Show", value=("1", 0))}
    async with client(tmp_path) as (http, services):
        id = await run(http, services, graph, partial_execution_targets=["3", "1", "9"])
        assert list(services.jobs.get(id).outputs) == ["3"]
        answered = await http.post("/prompt", json={"prompt": graph, "partial_execution_targets": ["1"]})
        assert (answered.status_code, answered.json()["error"]["type"]) == (400, "prompt_no_outputs")


async def test_what_is_sent_beside_goes_into_files_and_history(tmp_path: Path):
    graph = {"1": n("Picture", colour="red")}
    extra = {"extra_pnginfo": {"workflow": {"nodes": []}}, "api_key_comfy_org": "secret", "mine": [1]}
    async with client(tmp_path) as (http, services):
        headers = {"Comfy-Usage-Source": "a test"}
        sent = {"prompt": graph, "extra_data": extra, "client_id": "me"}
        id = (await http.post("/prompt", json=sent, headers=headers)).json()["prompt_id"]
        job = await done(services.jobs, id)
        (file,) = job.outputs["1"]["files"]
        assert b'workflow\0{"nodes": []}' in Path(file["path"]).read_bytes()
        _, _, prompt, told, targets = (await http.get(f"/history/{id}")).json()[id]["prompt"]
        assert (prompt, targets) == (graph, ["1"])
        assert told == {
            "extra_pnginfo": extra["extra_pnginfo"], "mine": [1], "client_id": "me", "comfy_usage_source": "a test",
            "create_time": int(job.created * 1000),
        }  # fmt: skip


@pytest.mark.parametrize("name", ["日本", "", "a\0b", "x" * 100])
async def test_what_goes_into_a_picture_may_have_any_name(tmp_path: Path, name: str):
    async with client(tmp_path) as (http, services):
        extra = {"extra_pnginfo": {name: "kept"}}
        job = services.jobs.get(await run(http, services, {"1": n("Picture", colour="blue")}, extra_data=extra))
        assert job.state == "succeeded"
        with Image.open(job.outputs["1"]["files"][0]["path"]) as picture:
            assert '"kept"' in picture.info.values()


@pytest.mark.parametrize("type", [None, "application/octet-stream", "text/plain", "application/x-www-form-urlencoded"])
async def test_bodies_may_come_under_any_type(tmp_path: Path, type: str | None):
    async with client(tmp_path) as (http, services):
        headers = {"content-type": type} if type else {}
        answered = await http.post("/prompt", content=json.dumps({"prompt": shown(1)}), headers=headers)
        assert (await done(services.jobs, answered.json()["prompt_id"])).state == "succeeded"


VALID = json.dumps(shown(1))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (VALID, 'The body is a workflow itself: send {"prompt": {...}}.'),
        ('{"client_id": "a"}', 'There is no prompt in the body: send {"prompt": {...}}.'),
        ("[]", "The body can't be used: it is no JSON object."),
        ('{"prompt": "workflow.json"}', "prompt can't be used: it is no JSON object."),
    ],
)
async def test_what_is_no_request_is_told_in_words_of_the_format(tmp_path: Path, body: str, says: str):
    async with client(tmp_path) as (http, _):
        answered = await http.post("/prompt", content=body)
        assert (answered.status_code, answered.json()["error"]["message"]) == (400, says)


@pytest.mark.parametrize(
    ("body", "type"),
    [
        ("", "invalid_request"),
        ("{", "invalid_request"),
        ("[" * 100_000, "invalid_request"),
        ("[]", "invalid_request"),
        ("{}", "no_prompt"),
        ('{"prompt": []}', "invalid_prompt"),
        ('{"prompt": "text"}', "invalid_prompt"),
        ('{"prompt": null}', "invalid_prompt"),
        ('{"prompt": {"nodes": 5}}', "invalid_prompt"),
        ('{"prompt": {"1": {"inputs": {}}}}', "invalid_prompt"),
        ('{"prompt": {}}', "prompt_no_outputs"),
        (f'{{"prompt": {VALID}, "extra_data": 5}}', "invalid_request"),
        (f'{{"prompt": {VALID}, "client_id": {{}}}}', "invalid_request"),
        (f'{{"prompt": {VALID}, "number": "first"}}', "invalid_request"),
        (f'{{"prompt": {VALID}, "prompt_id": 5}}', "invalid_prompt_id"),
        (f'{{"prompt": {VALID}, "partial_execution_targets": [2]}}', "invalid_request"),
        (f'{{"prompt": {VALID}, "partial_execution_targets": "2"}}', "invalid_request"),
    ],
)
async def test_what_is_malformed_is_refused_and_the_next_job_runs(tmp_path: Path, body: str, type: str):
    async with client(tmp_path) as (http, services):
        answered = await http.post("/prompt", content=body)
        assert (answered.status_code, answered.json()["error"]["type"]) == (400, type)
        assert answered.json()["node_errors"] == {}
        assert services.jobs.seq == 0
        assert services.jobs.get(await run(http, services, shown(1))).state == "succeeded"


def chain(length: int) -> dict[str, Any]:
    links = {f"c{at}": n("Add", a=(f"c{at - 1}", 0), b=1) for at in range(1, length)}
    return {"c0": n("Add", a=1), **links, "end": n("Show", value=(f"c{length - 1}", 0))}


@pytest.mark.parametrize(
    ("bad", "node", "type"),
    [
        ({"9": {"class_type": "Number"}}, "9", "required_input_missing"),
        ({"9": {"class_type": "Number", "inputs": []}}, "9", "invalid_prompt"),
        ({"9": {"inputs": {}}}, "9", "invalid_prompt"),
        ({"9": n("Nothing")}, "9", "missing_node_type"),
        ({"9": n("Number", value="text")}, "9", "invalid_input_type"),
        ({"9": n("Number", value=float("nan"))}, "9", "invalid_input_type"),
        ({"9": n("Add", a=("1", -1), b=1)}, "9", "bad_linked_input"),
        ({"9": n("Add", a=("8", 0), b=1)}, "9", "bad_linked_input"),
        ({"9": n("Add", a=[1, 2, 3], b=1)}, "9", "bad_linked_input"),
        ({"8": n("Add", a=("9", 0), b=1), "9": n("Add", a=("8", 0), b=1)}, "9", "dependency_cycle"),
        ({"9": n("Show")}, "9", "required_input_missing"),
        (chain(1200), "c0", "required_input_missing"),
    ],
)
async def test_a_bad_part_does_not_stop_a_valid_output(tmp_path: Path, bad: dict[str, Any], node: str, type: str):
    async with client(tmp_path) as (http, services):
        body = json.dumps({"prompt": shown(1) | bad})
        answered = (await http.post("/prompt", content=body)).json()
        assert [error["type"] for error in answered["node_errors"][node]["errors"]] == [type]
        job = await done(services.jobs, answered["prompt_id"])
        assert (job.state, list(job.outputs)) == ("succeeded", ["2"])
        assert services.jobs.get(await run(http, services, shown(2))).state == "succeeded"


async def test_a_deep_chain_runs(tmp_path: Path):
    graph = chain(1200)
    graph["c0"]["inputs"]["b"] = 1
    async with client(tmp_path) as (http, services):
        assert services.jobs.get(await run(http, services, graph)).outputs["end"]["notes"] == {"text": ["1201"]}


async def test_no_valid_output_is_told_per_node(tmp_path: Path):
    graph = {"1": n("Number", value="x"), "2": n("Show", value=("1", 0)), "3": n("Show", value=("1", 0))}
    async with client(tmp_path) as (http, _):
        answered = await http.post("/prompt", json={"prompt": graph})
        assert answered.status_code == 400
        told = answered.json()
        assert told["error"]["type"] == "prompt_outputs_failed_validation"
        (error,) = told["node_errors"]["1"]["errors"]
        assert told["node_errors"] == {
            "1": {"errors": [error], "dependent_outputs": ["2", "3"], "class_type": "Number"}
        }
        assert error["extra_info"] == {"input_name": "value", "input_config": ["INT", {}], "received_value": "x"}
        assert error["details"].startswith("value: 'x' is no INT.")
        assert set(told["error"]) == set(error) == {"type", "message", "details", "extra_info"}


async def test_a_missing_type_is_told_with_its_node(tmp_path: Path):
    graph = shown(1)
    graph["1"] = {"class_type": "Nmber", "inputs": {}, "_meta": {"title": "Mine"}}
    async with client(tmp_path) as (http, _):
        error = (await http.post("/prompt", json={"prompt": graph})).json()["error"]
        assert error["type"] == "missing_node_type"
        assert error["extra_info"] == {"node_id": "1", "class_type": "Nmber", "node_title": "Mine"}


@pytest.mark.parametrize("id", [".", "..", "a/cancel", "a/events", "/workflow"])
async def test_an_id_that_no_address_can_name_is_refused(tmp_path: Path, id: str):
    async with client(tmp_path) as (http, _):
        answered = await http.post("/prompt", json={"prompt": shown(1), "prompt_id": id})
        assert (answered.status_code, answered.json()["error"]["type"]) == (400, "invalid_prompt_id")
        answered = await http.post("/api/v1/jobs", json={"workflow": shown(1), "id": id})
        assert (answered.status_code, answered.json()["error"]["message"]) == (422, f"A job can't be called {id}.")


async def test_an_id_is_used_once(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        assert await run(http, services, shown(1), prompt_id=ID) == ID
        answered = await http.post("/prompt", json={"prompt": shown(2), "prompt_id": ID})
        assert (answered.status_code, answered.json()["error"]["type"]) == (400, "invalid_prompt_id")
