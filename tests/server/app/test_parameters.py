from pathlib import Path

import pytest

from tests.engine.formats.test_read import png, text_chunk
from tests.server.app.test_jobs import client
from tests.server.words import declaring, shown

pytestmark = pytest.mark.anyio


async def test_a_workflow_tells_what_it_is_called_with(tmp_path: Path):
    async with client(tmp_path) as (http, _):
        told = (await http.post("/api/v1/parameters", json={"workflow": declaring()})).json()
        assert [(each["name"], each["node"], each["value"]) for each in told["parameters"]] == [("count", "1", 4)]
        assert [each["name"] for each in told["inputs"]] == ["Number.value"]
        assert told["schema"]["properties"] == {"count": {"type": "integer", "maximum": 9, "default": 4}}
        picture = png(text_chunk("prompt", shown(3)))
        of_picture = (await http.post("/api/v1/parameters", content=picture)).json()
        assert of_picture["parameters"] == []
        assert of_picture["schema"]["properties"] == {"Number.value": {"type": "integer", "default": 3}}


@pytest.mark.parametrize("body", [b"{", b'{"workflow": []}', b'{"workflow": {"1": 5}}', b"\x89PNG\r\n\x1a\n"])
async def test_what_is_no_workflow_is_refused(tmp_path: Path, body: bytes):
    async with client(tmp_path) as (http, _):
        refused = await http.post("/api/v1/parameters", content=body)
        assert refused.status_code == 422 and refused.json()["error"]["message"]
