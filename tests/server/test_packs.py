"""A server with node packs: their code is in the worker alone."""

import json
import os
import signal
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.nodes.packs.classic import PACKS
from tests.server.serving import ServerProcess

COUNT = {"1": {"class_type": "CountCalls", "inputs": {"start": 10, "stop": False}}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(
        tmp_path_factory.mktemp("packs"), custom_nodes=[str(PACKS / each) for each in ("web", "onpath", "classic")]
    ) as running:
        yield running


def ask(
    server: ServerProcess, method: str, path: str, body: Any = None, headers: Mapping[str, str] = MappingProxyType({})
) -> tuple[int, Any, Any]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), dict(headers))
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_pack_nodes_are_listed(server: ServerProcess) -> None:
    info = server.call("GET", "/object_info/CountCalls")["CountCalls"]
    assert (info["python_module"], info["output_node"]) == ("custom_nodes.web", True)
    assert info["input"]["required"]["start"] == ["INT", {"default": 0}]
    assert "CountCalls" in {node["type"] for node in server.call("GET", "/api/v1/nodes")}


def test_a_pack_node_runs_is_remembered_and_asked_whether_it_changed(server: ServerProcess) -> None:
    assert ask(server, "POST", "/web_pack/set", {"calls": 0})[0] == 204
    shown = []
    with connect(f"ws://127.0.0.1:{server.port}/ws?clientId=me") as socket:
        for calls in (0, 0, 5):
            ask(server, "POST", "/web_pack/set", {"calls": calls})
            job = server.call("POST", "/prompt", {"prompt": COUNT, "client_id": "me"})["prompt_id"]
            server.wait_until_idle()
            shown.append(server.call("GET", f"/history/{job}")[job]["outputs"]["1"]["calls"])
        told = []
        while len([kind for kind, _ in told if kind == "executing"]) < 2 * 2 + 1:
            message = socket.recv(timeout=10)
            said = json.loads(message) if isinstance(message, str) else {"type": "picture"}
            told += [(said["type"], said["data"])] if said["type"] in ("executing", "web_pack.count") else []
    assert (shown, [data["calls"] for kind, data in told if kind == "web_pack.count"]) == ([[11], [11], [16]], [1, 6])
    nodes = [data.get("node", kind) for kind, data in told]
    assert nodes == ["1", "web_pack.count", None, None, "1", "web_pack.count", None]


def test_what_a_pack_refuses_is_refused_by_the_worker(server: ServerProcess) -> None:
    prompt = {"1": {"class_type": "CountCalls", "inputs": {"start": -1, "stop": False}}}
    status, _, body = ask(server, "POST", "/prompt", {"prompt": prompt})
    (error,) = json.loads(body)["node_errors"]["1"]["errors"]
    assert (status, error["type"]) == (400, "custom_validation_failed")
    assert f"-1 is too small in {server.worker()}" in json.dumps(error)


def test_the_files_of_packs_are_served_to_browsers(server: ServerProcess) -> None:
    assert server.call("GET", "/extensions") == [
        "/extensions/web/more/two.js",
        "/extensions/web/one.js",
        "/extensions/onpath/say.js",
    ]
    status, headers, body = ask(server, "GET", "/extensions/web/one.js")
    assert (status, body, headers["content-type"]) == (200, b"// one\n", "text/javascript; charset=utf-8")
    assert ask(server, "GET", "/extensions/web/../__init__.py")[0] == 404


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_the_routes_of_packs_are_answered_by_the_worker(server: ServerProcess, prefix: str) -> None:
    ask(server, "POST", f"{prefix}/web_pack/set", {"calls": 7})
    assert server.call("GET", f"{prefix}/web_pack/hello/a%20b/c?q=%C3%A4") == {"name": "a b/c", "q": "ä", "calls": 7}
    status, headers, body = ask(server, "POST", f"{prefix}/web_pack/set", {"calls": -1})
    assert (status, headers["x-why"], body) == (422, "negative", b"no")
    status, headers, body = ask(server, "GET", f"{prefix}/web_pack/plain", headers={"X-Asked": "this"})
    assert (status, body) == (200, b"this") and "server" not in headers
    assert ask(server, "GET", f"{prefix}/web_pack/fails")[0] == 500
    assert ask(server, "GET", f"{prefix}/web_pack/large")[::2] == (502, b"The node pack answered with more than 32 MB.")
    assert ask(server, "DELETE", f"{prefix}/web_pack/set")[0] == 405


def test_packs_see_each_prompt_and_may_change_it(server: ServerProcess) -> None:
    def shown(start: int) -> Any:
        prompt = {"1": {"class_type": "CountCalls", "inputs": {"start": start, "stop": False}}}
        extra = {"extra_pnginfo": {}, "api_key_comfy_org": "secret"}
        job = server.call("POST", "/prompt", {"prompt": prompt, "extra_data": extra})["prompt_id"]
        server.wait_until_idle()
        _, _, ran, extra, _ = server.call("GET", f"/history/{job}")[job]["prompt"]
        events = server.call("GET", f"/api/v1/jobs/{job}/events")["events"]
        warnings.append([event["data"]["message"] for event in events if event["kind"] == "warned"])
        return ran["1"]["inputs"]["start"], extra.get("extra_pnginfo", {})

    warnings: list[list[str]] = []
    assert shown(99) == (100, {"seen": ["extra_pnginfo"]})
    for start in (96, 97, 98):
        assert shown(start) == (start, {})
    failed = "What the node pack web does to each prompt failed, so it was left out: "
    assert warnings == [[], [], [f"{failed}InputError: it gave no prompt"], [f"{failed}ValueError: not this one"]]
    log = (server.folder / "server.log").read_text()
    assert "What the node pack web does to each prompt failed, so it was left out: ValueError: not this one" in log
    assert "so it was left out: InputError: it gave no prompt" in log


def test_the_server_itself_imports_nothing_of_packs_and_no_torch(server: ServerProcess) -> None:
    maps = Path(f"/proc/{server.pid}/maps")
    if not maps.exists():
        pytest.skip("needs /proc")
    assert "libtorch" not in maps.read_text()


def test_files_that_come_are_offered_and_taken(server: ServerProcess) -> None:
    def choices() -> list[Any]:
        found = server.call("GET", "/object_info/Say")["Say"]["input"]["required"]["file"][0]
        return list(found)

    assert server.call("GET", "/object_info") and choices() == ["none"]
    (server.folder / "in" / "new.txt").write_text("")
    prompt = {
        "1": {"class_type": "Say", "inputs": {"file": "new.txt", "lora": "none", "size": 1}},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
    }
    status, _, body = ask(server, "POST", "/prompt", {"prompt": prompt})
    errors = json.loads(body)["node_errors"]["1"]["errors"]
    assert status == 400 and [error["extra_info"]["input_name"] for error in errors] == ["lora"]
    assert choices() == ["new.txt"]


def test_nodes_of_packs_save_in_batches(server: ServerProcess) -> None:
    workflow = {
        "1": {"class_type": "KeepFile", "inputs": {"text": "x"}},
        "2": {"class_type": "SaveText", "inputs": {"text": "y"}},
    }
    body = {"id": "saved", "workflow": workflow, "grid": {"1.text": ["a", "b"]}}
    server.call("POST", "/api/v1/batches", body)
    server.wait_for(lambda: server.call("GET", "/api/v1/batches/saved")["state"] != "running")
    rows = server.call("GET", "/api/v1/batches/saved/rows")["rows"]
    root = server.folder / "out" / server.call("GET", "/api/v1/batches/saved")["folder"]
    assert [[(root / file).read_text() for file in row["files"]] for row in rows] == [["a", "y"], ["b", "y"]]


def test_a_new_worker_is_asked_when_one_died(server: ServerProcess) -> None:
    before = server.worker()
    os.kill(before, signal.SIGKILL)
    prompt = {"1": {"class_type": "CountCalls", "inputs": {"start": -2, "stop": False}}}
    server.wait_for(lambda: b"-2 is too small" in ask(server, "POST", "/prompt", {"prompt": prompt})[2])
    assert server.worker() != before
