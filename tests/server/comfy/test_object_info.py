from pathlib import Path

import pytest

from engine.object_info import object_info
from tests.server.comfy.online import client

pytestmark = pytest.mark.anyio


async def test_all_types_are_told_once_and_then_only_when_they_change(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        first = await http.get("/object_info")
        specs = services.engine.registry.specs
        assert first.json() == object_info(specs.values(), services.engine.folders)
        tag = first.headers["etag"]
        again = await http.get("/api/object_info", headers={"if-none-match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        services.engine.registry.node("Other")(_other)
        changed = await http.get("/object_info", headers={"if-none-match": tag})
        assert (changed.status_code, "Other" in changed.json()) == (200, True)


async def test_one_type_is_told_alone(tmp_path: Path):
    async with client(tmp_path) as (http, _):
        found = (await http.get("/object_info/Add")).json()
        assert list(found) == ["Add"]
        assert found["Add"]["input"]["required"] == {"a": ["INT", {}], "b": ["INT", {}]}
        assert (await http.get("/api/object_info/Nothing")).json() == {}


def _other(value: int) -> int:
    return value
