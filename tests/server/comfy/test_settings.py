from pathlib import Path

import pytest

from tests.server.comfy.online import client

pytestmark = pytest.mark.anyio


async def test_settings_are_kept_over_a_restart(tmp_path: Path):
    async with client(tmp_path) as (http, _):
        assert (await http.get("/settings")).json() == {}
        assert (await http.get("/settings/Comfy.None")).json() is None
        await http.post("/api/settings", json={"a": 1, "b": [True]})
        await http.post("/settings/Comfy.InstalledVersion", content='"1.58.1"')
        assert (await http.post("/settings", json=[])).status_code == 422
        assert (await http.post("/settings/b", content="{")).status_code == 422
    async with client(tmp_path) as (http, _):
        assert (await http.get("/api/settings")).json() == {"a": 1, "b": [True], "Comfy.InstalledVersion": "1.58.1"}
        assert (await http.get("/settings/Comfy.InstalledVersion")).json() == "1.58.1"


async def test_there_is_one_user(tmp_path: Path):
    async with client(tmp_path) as (http, _):
        assert (await http.get("/api/users")).json() == {"storage": "server", "migrated": True}
        assert (await http.post("/users", json={"username": "me"})).status_code == 400
