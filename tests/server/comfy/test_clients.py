"""Client libraries of ComfyUI as they are, each at its typical job. A test is skipped where its package is absent.

Those of npm are looked for as node does: NODE_PATH names the folder ``node_modules``.
"""

import asyncio
import importlib.util
import json
import os
import shutil
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


def workflow(seed: int, count: int = 10) -> dict[str, Any]:
    """Return a workflow that makes a picture after some steps with previews."""
    graph = {"1": n("Steps", value=seed, count=count, seconds=0.03), "2": n("Show", value=("1", 0))}
    graph["3"] = n("Picture", colour=f"#{seed:06x}")
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
        (output,) = data["outputs"]
        assert httpx2.get(output).content[:4] == b"\x89PNG"


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
    assert "done" in done.stdout.splitlines()  # a thread of its own says more
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


def followed(job: Any) -> Any:
    """Return a job that has ended. Its proxy asks twice where a job is: one that ends in between is expired to it."""
    assert list(job.events())
    return job.refresh()


def test_comfy_sdk(api_v2: tuple[str, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    theirs = pytest.importorskip("comfy_sdk")
    url, ours = api_v2
    monkeypatch.setenv("COMFY_BASE_URL", url)
    seed = 50 + ours
    with theirs.Comfy() as comfy:
        job = comfy.submit(comfy.workflows.from_json(workflow(seed, 40)))
        heard = list(job.events())
        assert heard[-1].status == "succeeded"
        assert {"Progress", "Preview", "OutputReady"} <= {type(event).__name__ for event in heard}
        job = job.result()
        (picture,) = job.get_outputs("3")
        picture.to_file(tmp_path / "picture.png")
        assert (tmp_path / "picture.png").read_bytes()[:4] == b"\x89PNG"
        assert comfy.jobs.get(job.id).status == "succeeded"
        assert job.get_workflow().graph == workflow(seed, 40)

        file = tmp_path / "a.txt"
        file.write_text(f"sent {ours}")
        asset = comfy.assets.from_file(file)
        graph = {"1": n("Show", value=asset)}
        told = followed(comfy.submit(comfy.workflows.from_json(graph))).result()
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
        assert followed(runs).status == "canceled"
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


STABLE_CANVAS = """
const { Client, Workflow } = require("@stable-canvas/comfyui-client");
const client = new Client({ api_host: url.replace("http://", ""), WebSocket: require("ws"), fetch });
await client.connect();
for (const graph of [picture, picture]) {
  const steps = [], hear = client.on("progress", (data) => steps.push(data.max));
  const { images } = await client.enqueue(graph, {});
  const answer = await fetch(images[0].data);
  say("picture", images.length, answer.status, answer.headers.get("content-type"), new Set(steps).size);
  hear();
}
const polled = await client.enqueue_polling(picture, { polling_ms: 20 });
say("polled", polled.images.length);
const form = new FormData();
form.set("image", new Blob(["hello"]), "stable.txt");
say("uploaded", (await (await client.fetchApi("/upload/image", { method: "POST", body: form })).json()).name);
const queued = await client._enqueue_prompt(long);
while (!(await client.getPromptStatus(queued.prompt_id)).running) await pause();
await client.interrupt();
await client.waitForPrompt(queued.prompt_id, 20);
say("cancelled", await client.getPromptOutputs(queued.prompt_id).catch((error) => error instanceof Error));
say("listed", (await client.getHistory()).History.length > 3, (await client.getQueue()).Pending.length);
await client.enqueue(faulty, {}).catch((error) => say("refused", error instanceof Error));
client.close();
"""

SAINTNO = """
const { CallWrapper, ComfyApi, PromptBuilder } = require("@saintno/comfyui-sdk");
const api = await new ComfyApi(url).init().waitForReady();
for (const graph of [picture, picture]) {
  const steps = [], builder = new PromptBuilder(graph, ["seed"], ["images"])
    .setInputNode("seed", "1.inputs.value").setOutputNode("images", "3").input("seed", 1);
  const wrapper = new CallWrapper(api, builder).onProgress((data) => steps.push(data.max));
  const [image] = (await wrapper.run()).images.images;
  say("picture", image.type, (await api.getImage(image)).size > 0, new Set(steps).size);
}
say("uploaded", (await api.uploadImage(Buffer.from("hello"), "saintno.txt")).info.filename);
const { prompt_id } = await api.queuePrompt(null, long);
while (!(await api.getQueue()).queue_running.length) await pause();
await api.interrupt();
while (!(await api.getHistory(prompt_id))) await pause();
say("cancelled", (await api.getHistory(prompt_id)).status.completed);
say("listed", Object.keys(await api.getHistories(3)).length);
const wrapper = new CallWrapper(api, new PromptBuilder(faulty, [], ["images"]).setOutputNode("images", "1"));
let refused;
await wrapper.onFailed((error) => (refused = error)).run();
say("refused", refused instanceof Error);
api.destroy();
"""

COMFYORG = """
process.env.COMFY_BASE_URL = url;
const { Comfy } = await import(require.resolve("@comfyorg/sdk"));
const comfy = new Comfy();
const send = (graph) => comfy.submit(comfy.workflows.fromJson(graph));
const job = await send(picture), kinds = new Set();
for await (const event of job.events()) kinds.add(event.kind);
say("told", ...[...kinds].sort());
const [output] = (await job.result()).getOutputs("3");
say("picture", output.type, (await output.toBytes()).length > 0);
const sent = { filename: "comfyorg.txt" };
const asset = comfy.assets.fromBytes(new TextEncoder().encode("hello"), sent);
say("uploaded", typeof (await asset.commit()));
const runs = await send(long);
while ((await runs.refresh()).status !== "running") await pause();
await runs.cancel();
say("cancelled", (await runs.wait()).status);
await send(faulty).catch((error) => say("refused", error.code));
"""

AROUND = """
const [url, ...graphs] = process.argv.slice(2);
const [picture, long, faulty] = graphs.map((text) => JSON.parse(text));
const say = (...told) => console.log(JSON.stringify(told));
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
async function main() {
%s
}
main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
"""


def in_node(server: Online, folder: Path, package: str, script: str) -> list[Any]:
    """Run a script in node; return what it said."""
    node = shutil.which("node")
    if node is None or subprocess.run([node, "-e", f"require.resolve('{package}')"], capture_output=True).returncode:
        pytest.skip(f"{package} is not installed, or NODE_PATH does not say where")
    file = folder / "script.cjs"
    file.write_text(AROUND % script)
    picture = {"1": n("Steps", value=1, count=len(package), seconds=0.01), "2": n("Repeat", text="red", count=("1", 0))}
    picture["3"] = n("Picture", colour=("2", 0))
    graphs = [picture, after(Steps={"value": 71, "count": 3000, "seconds": 0.01}), {"1": n("Show")}]
    command = [node, str(file), server.url, *map(json.dumps, graphs)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_stable_canvas(server: Online, tmp_path: Path):
    assert in_node(server, tmp_path, "@stable-canvas/comfyui-client", STABLE_CANVAS) == [
        ["picture", 1, 200, "image/png", 1],
        ["picture", 1, 200, "image/png", 0],
        ["polled", 1],
        ["uploaded", "stable.txt"],
        ["cancelled", True],
        ["listed", True, 0],
        ["refused", True],
    ]


def test_comfyorg(server: Online, tmp_path: Path):
    """Its events of previews come only if the steps take long enough."""
    told = in_node(server, tmp_path, "@comfyorg/sdk", COMFYORG)
    assert set(told.pop(0)) - {"preview"} == {"told", "outputReady", "progress", "statusChange"}
    assert told == [
        ["picture", "image", True],
        ["uploaded", "string"],
        ["cancelled", "canceled"],
        ["refused", "invalid_workflow"],
    ]


def test_saintno(server: Online, tmp_path: Path):
    assert in_node(server, tmp_path, "@saintno/comfyui-sdk", SAINTNO) == [
        ["picture", "output", True, 1],
        ["picture", "output", True, 0],
        ["uploaded", "saintno.txt"],
        ["cancelled", False],
        ["listed", 3],
        ["refused", True],
    ]
