"""The real command in a process of its own, with the real vocabulary."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.errors import SettingError, StoreError
from server.app.host import bind, devices, serve
from server.jobs.lock import FolderLock
from server.security.access import Access
from tests.server.words import options

GRAPH = {
    "1": {"class_type": "PrimitiveString", "inputs": {"value": "a fox"}},
    "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
}


@contextmanager
def command(folder: Path, *arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Start ``loomis serve`` and give its address."""
    line = [sys.executable, "-m", "server", "serve", "--port", "0", "--data", str(folder / "data")]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LOOMIS_")}
    environ |= {"XDG_CONFIG_HOME": str(folder), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*line, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
    ) as process:
        assert process.stdout
        try:
            yield process, process.stdout.readline().removeprefix("Serving at ").strip()
        finally:
            process.kill()


def call(address: str, path: str, body: Any = None, token: str | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data, {"authorization": token} if token else {})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


def wait_for(check: Any, seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come")


def test_the_command_serves_and_ends_in_order(tmp_path: Path):
    with command(tmp_path) as (process, address):
        assert len(call(address, "/api/v1/nodes")) > 50
        job = call(address, "/api/v1/jobs", {"workflow": GRAPH})
        found = wait_for(lambda: (now := call(address, f"/api/v1/jobs/{job['id']}"))["state"] == "succeeded" and now)
        assert found["outputs"]["2"]["notes"] == {"text": ["a fox"]}
        (worker,) = call(address, "/api/v1/workers")["workers"]
        second = subprocess.run(
            [sys.executable, "-m", "server", "serve", "--port", "0", "--data", str(tmp_path / "data")],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert second.returncode == 1
        assert f"process {process.pid} on " in second.stderr
        assert f"at {address}" in second.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        with pytest.raises(ProcessLookupError):
            os.kill(worker["pid"], 0)


def test_another_address_needs_a_token(tmp_path: Path):
    line = [sys.executable, "-m", "server", "serve", "--host", "0.0.0.0", "--data", str(tmp_path)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "needs a token" in done.stderr and "--token-file" in done.stderr


def test_the_token_is_needed_and_is_nowhere(tmp_path: Path):
    token = "a-token-for-this-test"
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text(token)
    with command(tmp_path, "--token-file", str(file), "--log", "json") as (process, address):
        for given in (None, "Bearer wrong-token-wrong"):
            with pytest.raises(urllib.error.HTTPError, match="401"):
                call(address, "/api/v1/jobs", token=given)
        extra = {"api_key_comfy_org": "their-secret"}
        job = call(address, "/api/v1/jobs", {"workflow": GRAPH, "extra": extra}, token=f"Bearer {token}")
        path = f"/api/v1/jobs/{job['id']}"
        wait_for(lambda: call(address, path, token=f"Bearer {token}")["state"] == "succeeded")
        assert call(address, f"{path}/workflow", token=f"Bearer {token}")["extra"] == {}
        (worker,) = call(address, "/api/v1/workers", token=f"Bearer {token}")["workers"]
        if sys.platform == "linux":
            for name in ("environ", "cmdline"):
                assert token not in Path(f"/proc/{worker['pid']}/{name}").read_text()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr
        told = process.stderr.read()
    refused = [json.loads(line) for line in told.splitlines() if '"status": 401' in line]
    assert [entry["path"] for entry in refused] == ["/api/v1/jobs"] * 2
    assert token not in told and "their-secret" not in told
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert token.encode() not in kept and b"their-secret" not in kept


def test_the_first_signal_says_at_once_what_is_waited_for_and_how_to_end_now(tmp_path: Path):
    workflow = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 4096, "height": 4096, "batch_size": 8, "color": 0}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "slow"}},
    }
    with command(tmp_path, "--log", "human") as (process, address):
        id = call(address, "/api/v1/jobs", {"workflow": workflow})["id"]
        wait_for(lambda: call(address, f"/api/v1/jobs/{id}")["state"] == "running")
        process.send_signal(signal.SIGINT)
        assert process.stderr
        told = next(line for line in process.stderr if "The server ends" in line)
        assert f"waits up to 20 s for job {id}" in told and "Ctrl-C again" in told
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 128 + signal.SIGINT


def test_an_address_that_is_taken_is_an_error():
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(SettingError, match=r"can't have 127\.0\.0\.1"):
            bind("127.0.0.1", taken.getsockname()[1])


def test_a_second_server_hears_of_the_first_also_where_that_has_its_address(tmp_path: Path):
    taken = bind("127.0.0.1", 0)
    taken.listen()
    second = options(tmp_path).model_copy(update={"port": taken.getsockname()[1]})
    with FolderLock(second.data, "http://127.0.0.1:8188"), pytest.raises(StoreError) as refused:
        asyncio.run(serve(second, Access()))
    assert refused.value.hint == (
        "Give your work to http://127.0.0.1:8188, or end that server. Another needs a --data and a --port of its own."
    )
    with pytest.raises(SettingError, match="can't have"):
        asyncio.run(serve(second, Access()))
    taken.close()


def test_each_device_gets_a_worker_unless_they_are_named(tmp_path: Path):
    assert devices(options(tmp_path)) == ["cpu"]
    assert devices(options(tmp_path, workers="2")) == ["cpu", "cpu"]
    assert devices(options(tmp_path, workers="cuda:1,cpu")) == ["cuda:1", "cpu"]
