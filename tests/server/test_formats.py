"""A workflow comes in any format by every way in: the engine, ComfyUI's route, ours, and the socket."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from server.client import Client
from server.opening import open_engine
from server.protocol import commands, results
from tests.engine.formats.test_read import jpeg, mp4, png, text_chunk, tiff, webm, webp
from tests.server.comfy.v2.test_jobs import SAVED
from tests.server.online import Online, online
from tests.server.vocabulary import vocabulary
from tests.server.words import done, options, shown

CONTAINERS: dict[str, Callable[[str, Any], bytes]] = {
    "png": lambda name, value: png(text_chunk(name, value)),
    "webp": lambda name, value: webp(tiff([f"{name}:{json.dumps(value)}"])),
    "jpeg": lambda name, value: jpeg(tiff([f"{name}:{json.dumps(value)}"])),
    "mp4": lambda name, value: mp4({name: json.dumps(value)}),
    "webm": lambda name, value: webm({name: json.dumps(value)}),
}
SOURCES: dict[str, Any] = {
    "api": json.dumps(shown(7)).encode(),
    "saved": json.dumps(SAVED).encode(),
    **{f"api in {name}": make("prompt", shown(7)) for name, make in CONTAINERS.items()},
    **{f"saved in {name}": make("workflow", SAVED) for name, make in CONTAINERS.items()},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    with online(tmp_path_factory.mktemp("server")) as made:
        yield made


def said(server: Online, id: str) -> Any:
    """Return what a job showed."""
    job = server.do(done(server.services.jobs, id))
    assert job.state == "succeeded", job.error
    return job.outputs["2"]["notes"]["text"]


@pytest.mark.parametrize("name", SOURCES)
def test_every_way_in_reads_every_format(name: str, server: Online, tmp_path: Path) -> None:
    data, is_json = SOURCES[name], name in ("api", "saved")
    with open_engine(options(tmp_path), vocabulary()) as engine:
        assert engine.run(data).outputs["2"].notes["text"] == ["7"]
    prompt = {"json": {"prompt": json.loads(data)}} if is_json else {"content": data}
    ours = {"json": {"workflow": json.loads(data)}} if is_json else {"content": data}
    with httpx2.Client(base_url=server.url) as http:
        for path, body, key in (("/prompt", prompt, "prompt_id"), ("/api/v1/jobs", ours, "id")):
            answered = http.post(path, **body)
            assert answered.status_code < 300, answered.text
            assert said(server, answered.json()[key]) == ["7"]
    with Client(server.url) as client:
        given: dict[str, Any] = {"workflow": json.loads(data)} if is_json else {"data": data}
        job, _ = client.ask(commands.JobSubmit, **given)
        assert isinstance(job, results.JobData) and said(server, job.id) == ["7"]
        opened, _ = client.ask(commands.SessionOpen, **given)
        assert isinstance(opened, results.SessionData) and opened.graph["1"]["inputs"] == {"value": 7}


def test_a_picture_without_a_workflow_is_refused_everywhere(server: Online) -> None:
    empty = CONTAINERS["png"]("software", {})
    with httpx2.Client(base_url=server.url) as http:
        assert http.post("/prompt", content=empty).status_code == 400
        refused = http.post("/api/v1/jobs", content=empty)
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "workflow")
    with Client(server.url) as client:
        for given in ({"data": empty}, {}, {"data": empty, "workflow": shown(1)}):
            with pytest.raises(Exception, match=r"no workflow|one workflow"):
                client.ask(commands.JobSubmit, **given)
