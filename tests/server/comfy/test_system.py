from pathlib import Path

import pytest

from tests.server.comfy.online import client

pytestmark = pytest.mark.anyio


async def test_the_machine_is_described(tmp_path: Path):
    async with client(tmp_path, workers=2) as (http, _):
        stats = (await http.get("/api/system_stats")).json()
        assert 0 < stats["system"]["ram_free"] <= stats["system"]["ram_total"]
        assert stats["system"]["argv"] == []
        (device,) = stats["devices"]
        assert (device["name"], device["type"], device["vram_total"]) == ("cpu", "cpu", stats["system"]["ram_total"])


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/extensions", []), ("/i18n", {}), ("/workflow_templates", {}), ("/global_subgraphs", {}),
        ("/node_replacements", {}), ("/internal/logs", ""),
        ("/internal/logs/raw", {"entries": [], "size": {"cols": 80, "rows": 24}}),
    ],
)  # fmt: skip
async def test_what_there_is_none_of_is_empty(tmp_path: Path, path: str, data: object):
    async with client(tmp_path) as (http, _):
        assert (await http.get(path)).json() == data
        twin = await http.get(f"/api{path}")
        assert twin.status_code == (404 if path.startswith("/internal") else 200)


async def test_places_are_listed_newest_first(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        root = services.engine.folders.input
        (root / "sub").mkdir(parents=True)
        for name in ("a.png", "sub/b.png"):
            (root / name).write_bytes(b"x")
        assert (await http.get("/internal/files/input")).json() == ["a.png"]
        assert (await http.get("/internal/files/models")).json() == {"error": "Invalid directory type"}
        assert "vae" in (await http.get("/internal/folder_paths")).json()
        assert (await http.patch("/internal/logs/subscribe", json={"enabled": True})).status_code == 200


async def test_the_server_says_what_it_can_do(tmp_path: Path):
    async with client(tmp_path) as (http, _):
        flags = (await http.get("/features")).json()
        assert (flags["supports_preview_metadata"], flags["assets"]) == (True, False)
