from pathlib import Path

import pytest

from tests.server.comfy.online import client

pytestmark = pytest.mark.anyio

LISTING = "/api/userdata?dir=workflows&recurse=true&split=false&full_info=true"


async def test_workflows_are_kept_listed_moved_and_removed(tmp_path: Path):
    async with client(tmp_path) as (http, _):
        assert (await http.get(LISTING)).json() == []
        saved = await http.post("/api/userdata/workflows%2Fa.json?overwrite=false&full_info=true", content=b'{"a":1}')
        assert saved.json() | {"modified": 0, "created": 0} == {
            "path": "workflows/a.json", "size": 7, "modified": 0, "created": 0,
        }  # fmt: skip
        refused = await http.post("/api/userdata/workflows%2Fa.json?overwrite=false", content=b"other")
        assert refused.status_code == 409
        assert (await http.get("/userdata/workflows%2Fa.json")).content == b'{"a":1}'
        assert (await http.post("/userdata/workflows%2Fa.json", content=b"{}")).json() == "workflows/a.json"
        await http.post("/userdata/workflows%2Fmove%2Fb.json", content=b"[]")
        await http.post("/userdata/workflows%2F.index.json", content=b'{"favorites":[]}')
        assert (await http.get("/userdata/workflows%2F.index.json")).json() == {"favorites": []}
        assert [(each["path"], each["size"]) for each in (await http.get(LISTING)).json()] == [
            ("a.json", 2), ("move/b.json", 2),
        ]  # fmt: skip
        assert (await http.get("/userdata?dir=workflows")).json() == ["a.json"]
        split = (await http.get("/userdata?dir=workflows&recurse=true&split=true")).json()
        assert split == [["a.json", "a.json"], ["move/b.json", "move", "b.json"]]
        tree = (await http.get("/v2/userdata?path=workflows")).json()
        assert [(each["path"], each["type"]) for each in tree] == [
            ("workflows/move", "directory"), ("workflows/a.json", "file"), ("workflows/move/b.json", "file"),
        ]  # fmt: skip
        move = "/api/userdata/workflows%2Fa.json/move/workflows%2Fmove%2Fb.json"
        assert (await http.post(f"{move}?overwrite=false")).status_code == 409
        assert (await http.post(move)).json() == "workflows/move/b.json"
        assert (await http.post(move)).status_code == 404
        assert (await http.delete("/userdata/workflows%2Fmove%2Fb.json")).status_code == 204
        assert (await http.delete("/userdata/workflows%2Fmove%2Fb.json")).status_code == 404
        assert (await http.get("/userdata/workflows%2Fa.json")).status_code == 404


async def test_a_folder_is_no_file(tmp_path: Path):
    async with client(tmp_path) as (http, _):
        await http.post("/userdata/workflows%2Fa.json", content=b"{}")
        assert (await http.get("/userdata/workflows")).status_code == 404
        assert (await http.delete("/userdata/workflows")).status_code == 404
        assert (await http.post("/userdata/workflows/move/others")).status_code == 404
        assert (await http.post("/userdata/workflows", content=b"{}")).status_code == 409
        assert (await http.get("/userdata?dir=workflows")).json() == ["a.json"]


@pytest.mark.parametrize("name", ["..%2Fsettings.json", "%2Fetc%2Fpasswd", "a%2F..%2F..%2F..%2Fb", "a%00b"])
async def test_nothing_leaves_the_folder(tmp_path: Path, name: str):
    async with client(tmp_path) as (http, services):
        await http.post("/settings", json={"secret": 1})
        before = sorted(services.data.rglob("*"))
        for method in ("GET", "POST", "DELETE"):
            assert (await http.request(method, f"/userdata/{name}", content=b"x")).status_code == 403
        assert (await http.post(f"/userdata/a/move/{name}")).status_code == 403
        assert (await http.get(f"/userdata?dir={name}")).status_code == 403
        assert sorted(services.data.rglob("*")) == before
        assert (await http.get("/userdata")).status_code == 400


async def test_files_are_downloads_but_for_the_style_sheet(tmp_path: Path):
    async with client(tmp_path) as (http, _):
        for path in ("/api/userdata/user.css", "/user.css"):
            empty = await http.get(path)
            assert (empty.content, empty.headers["content-type"]) == (b"", "text/css; charset=utf-8")
        await http.post("/userdata/user.css", content=b"a {}")
        await http.post("/userdata/a.html", content=b"<script>")
        assert (await http.get("/userdata/user.css")).headers["content-type"].startswith("text/css")
        page = await http.get("/userdata/a.html")
        assert page.headers["content-type"] == "application/octet-stream"
        assert page.headers["content-disposition"].startswith("attachment")
