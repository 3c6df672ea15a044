"""Client libraries of ComfyUI as they are, each at its typical job. A test is skipped where its package is absent."""

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.jobs.store import Wanted
from tests.server.online import Online, online
from tests.server.words import n


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
