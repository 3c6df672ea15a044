"""Client libraries of ComfyUI as they are, each at its typical job. A test is skipped where its package is absent."""

import asyncio
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from server.jobs.store import Wanted
from tests.server.online import Online, online
from tests.server.words import after, n


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    with online(tmp_path_factory.mktemp("server")) as server:
        yield server


def workflow(seed: int) -> dict[str, Any]:
    """Return a workflow that makes a picture after some steps with previews."""
    graph = {"1": n("Steps", value=seed, count=10, seconds=0.03), "2": n("Show", value=("1", 0))}
    graph["3"] = n("Picture", colour="red")
    return {id: node | {"_meta": {"title": node["class_type"]}} for id, node in graph.items()}


def test_comfy_api_simplified(server: Online, tmp_path: Path):
    theirs = pytest.importorskip("comfy_api_simplified")
    file = tmp_path / "workflow.json"
    file.write_text(json.dumps(workflow(1)))
    api = theirs.ComfyApiWrapper(server.url)
    for _ in range(2):
        pictures = api.queue_and_wait_images(theirs.ComfyWorkflowWrapper(str(file)), "Picture")
        assert [content[:4] for content in pictures.values()] == [b"\x89PNG"]
    assert api.upload_image(str(file))["name"] == "workflow.json"
    assert api.get_queue() == {"queue_running": [], "queue_pending": []}
    assert "Picture" in api.get_object_info()


def test_comfyui_utils(server: Online):
    comfy = pytest.importorskip("comfyui_utils.comfy")
    heard: list[Any] = []

    class Callbacks(comfy.Callbacks):  # type: ignore[misc,name-defined]
        async def queue_position(self, position: int) -> None:
            heard.append(position)

        async def in_progress(self, node_id: int, progress: int, total: int) -> None:
            heard.append(total)

        async def completed(self, outputs: dict[str, Any], cached: bool) -> None:
            heard.append((outputs["images"][0]["type"], cached))

    async def submit() -> None:
        api = comfy.ComfyAPI(f"127.0.0.1:{server.port}")
        await asyncio.wait_for(api.submit(workflow(2), Callbacks()), 20)
        await asyncio.wait_for(api.submit(workflow(2), Callbacks()), 20)

    asyncio.run(submit())
    assert ("output", False) in heard
    assert heard[-1] == ("output", True)


@pytest.mark.skipif(importlib.util.find_spec("comfy_cli") is None, reason="comfy-cli is not installed")
def test_comfy_cli(server: Online, tmp_path: Path):
    file = tmp_path / "workflow.json"
    file.write_text(json.dumps(workflow(3)))
    command = [sys.executable, "-m", "comfy_cli", "--skip-prompt", "--no-enable-telemetry", "run", "--wait"]
    command += ["--workflow", str(file), "--host", "127.0.0.1", "--port", str(server.port), "--timeout", "30"]
    for cached in ([], ["1", "2", "3"]):
        environment = os.environ | {"HOME": str(tmp_path)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        data = json.loads(done.stdout)["data"]
        assert (data["status"], data["cached_node_ids"]) == ("completed", cached)
        assert [url.partition("/view?")[2] for url in data["outputs"]] == [
            "filename=picture_00001_.png&subfolder=&type=output"
        ]


SCRIPT = """
import sys
from comfy_script.runtime import Workflow, load
load(sys.argv[1])
from comfy_script.runtime import nodes
with Workflow(wait=True):
    nodes.Show(nodes.Steps(4, 10, 0.02))
print("done")
"""


@pytest.mark.skipif(importlib.util.find_spec("comfy_script") is None, reason="comfy-script is not installed")
def test_comfy_script(server: Online, tmp_path: Path):
    """It changes how event loops work, so it runs in a process of its own."""
    file = tmp_path / "script.py"
    file.write_text(SCRIPT)
    command = [sys.executable, str(file), f"{server.url}/"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout.endswith("done\n")
    (job,) = server.do(server.services.jobs.page(Wanted(limit=1))).jobs
    assert (job.state, job.client is not None) == ("succeeded", True)
    assert [output["notes"] for output in job.outputs.values()] == [{"text": ["4"]}]


@contextmanager
def proxied(server: Online) -> Iterator[str]:
    """Have comfy-api-proxy before the server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "comfy_api_proxy.cli", "--comfyui", server.url, "--port", port]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            url, end = f"http://127.0.0.1:{port}", time.monotonic() + 30
            while time.monotonic() < end:
                try:
                    httpx2.get(f"{url}/api/v2/health").raise_for_status()
                    break
                except httpx2.TransportError:
                    time.sleep(0.05)
            yield url
        finally:
            process.terminate()


@pytest.fixture(params=["natively", "through comfy-api-proxy"])
def api_v2(server: Online, request: pytest.FixtureRequest) -> Iterator[tuple[str, bool]]:
    """Where API v2 is, and whether it is ours."""
    if request.param == "natively":
        yield server.url, True
    elif importlib.util.find_spec("comfy_api_proxy") is None:
        pytest.skip("comfy-api-proxy is not installed")
    else:
        with proxied(server) as url:
            yield url, False


def test_comfy_sdk(api_v2: tuple[str, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    theirs = pytest.importorskip("comfy_sdk")
    url, ours = api_v2
    monkeypatch.setenv("COMFY_BASE_URL", url)
    seed = 50 + ours
    with theirs.Comfy() as comfy:
        job = comfy.submit(comfy.workflows.from_json(workflow(seed)))
        heard = list(job.events())
        assert heard[-1].status == "succeeded"
        assert {"Progress", "Preview", "OutputReady"} <= {type(event).__name__ for event in heard}
        job = job.result()
        (picture,) = job.get_outputs("3")
        picture.to_file(tmp_path / "picture.png")
        assert (tmp_path / "picture.png").read_bytes()[:4] == b"\x89PNG"
        assert comfy.jobs.get(job.id).status == "succeeded"
        assert job.get_workflow().graph == workflow(seed)

        file = tmp_path / "a.txt"
        file.write_text(f"sent {ours}")
        asset = comfy.assets.from_file(file)
        graph = {"1": n("Show", value=asset)}
        told = comfy.run(comfy.workflows.from_json(graph))
        assert told.get_workflow().graph["1"]["inputs"]["value"] == asset.file_path
        again = comfy.assets.from_file(file)
        assert (again.commit() == asset.id, again.created_new) == (True, False)
        again.delete()
        with pytest.raises(theirs.NotFound):
            comfy.assets.get(asset.id)

        runs = comfy.submit(comfy.workflows.from_json(after(Steps={"value": seed, "count": 3000, "seconds": 0.01})))
        while runs.refresh().status != "running":
            time.sleep(0.02)
        runs.cancel()
        assert runs.wait(timeout=20).status == "canceled"
        with pytest.raises(theirs.JobFailed):
            runs.result()
        with pytest.raises(theirs.InvalidWorkflow):
            comfy.submit(comfy.workflows.from_json({"1": n("Show")}))
        key = f"only once {ours}"
        comfy.submit(comfy.workflows.from_json(workflow(seed)), idempotency_key=key)
        with pytest.raises(theirs.IdempotencyKeyReuse):
            comfy.submit(comfy.workflows.from_json(workflow(seed)), idempotency_key=key)


def test_comfy_sdk_lists_jobs_by_label(server: Online, monkeypatch: pytest.MonkeyPatch):
    """Its proxy takes no labels."""
    theirs = pytest.importorskip("comfy_sdk")
    monkeypatch.setenv("COMFY_BASE_URL", server.url)
    with theirs.Comfy() as comfy:
        for number in range(3):
            graph = comfy.workflows.from_json({"1": n("Show", value=number)})
            comfy.submit(graph, metadata={"who": "me", "run": str(number)}).result()
        found = list(comfy.list_jobs(metadata={"who": "me"}, limit=2))
        assert [(job.status, job.metadata["run"]) for job in found] == [("succeeded", run) for run in "210"]


def test_comfy_sdk_as_coroutines(server: Online, monkeypatch: pytest.MonkeyPatch):
    theirs = pytest.importorskip("comfy_sdk")
    monkeypatch.setenv("COMFY_BASE_URL", server.url)

    async def run() -> list[str]:
        async with theirs.AsyncComfy() as comfy:
            job = await comfy.submit(comfy.workflows.from_json(workflow(60)))
            heard = [type(event).__name__ async for event in job.events()]
            picture = (await job.result()).get_outputs("3")[0]
            assert (await picture.to_bytes())[:4] == b"\x89PNG"
            return heard

    heard = asyncio.run(run())
    assert heard[-1] == "StatusChange"
    assert "Progress" in heard
