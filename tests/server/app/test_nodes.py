from pathlib import Path

import pytest

from tests.server.app.test_jobs import client

pytestmark = pytest.mark.anyio


async def test_every_node_type_is_described(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        found = {each["type"]: each for each in (await http.get("/api/v1/nodes")).json()}
        assert found.keys() == services.engine.registry.specs.keys()
        one = (await http.get("/api/v1/nodes/Add")).json()
        assert one == found["Add"]
        assert [port["name"] for port in one["inputs"]] == ["a", "b"]


async def test_node_types_are_looked_for(tmp_path: Path):
    async with client(tmp_path) as (http, _):

        async def found(**query: str) -> list[str]:
            return [each["type"] for each in (await http.get("/api/v1/nodes", params=query)).json()]

        assert (await found(search="sHow"))[0] == "Show"
        assert await found(search="one colour") == ["Paint"]
        assert await found(search="Paimt") == []
        assert (await found(like="Paimt"))[0] == "Paint"
        assert await found(like="quetzalcoatl") == []
        assert (await http.get("/api/v1/nodes", params={"serach": "a"})).status_code == 422


async def test_an_unknown_type_gets_the_nearest(tmp_path: Path):
    async with client(tmp_path) as (http, _):
        answer = await http.get("/api/v1/nodes/Numbr")
        assert answer.status_code == 404
        assert answer.json()["error"]["expected"] == "Number"
