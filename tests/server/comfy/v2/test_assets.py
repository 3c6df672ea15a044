from pathlib import Path

import httpx2
import pytest
from blake3 import blake3

from tests.server.comfy.online import client
from tests.server.comfy.v2.test_jobs import code

pytestmark = pytest.mark.anyio


def hashed(data: bytes) -> str:
    return f"blake3:{blake3(data).hexdigest()}"


async def send(http: httpx2.AsyncClient, data: bytes, **fields: str) -> httpx2.Response:
    return await http.post("/api/v2/assets", files={"file": ("a.txt", data, "text/plain")}, data=fields)


async def test_a_file_is_stored_once(tmp_path: Path):
    async with client(tmp_path) as (http, _):
        assert (await http.head(f"/api/v2/assets/by-hash/{hashed(b'hello')}")).status_code == 404
        first = await send(http, b"hello", file_path="input/sub/b.txt", expected_hash=hashed(b"hello"))
        asset = first.json()
        assert (first.status_code, asset["created_new"], asset["file_path"]) == (201, True, "sub/b.txt")
        assert (asset["hash"], asset["size_bytes"], asset["content_type"]) == (hashed(b"hello"), 5, "text/plain")
        assert (tmp_path / "in" / "sub" / "b.txt").read_bytes() == b"hello"
        assert (await http.head(f"/api/v2/assets/by-hash/{hashed(b'hello')}")).status_code == 200
        again = await send(http, b"hello", file_path="sub/b.txt")
        assert (again.status_code, again.json()["created_new"], again.json()["id"]) == (200, False, asset["id"])
        other = await send(http, b"other", file_path="sub/b.txt")
        assert (other.status_code, other.json()["file_path"]) == (201, "sub/b (1).txt")
        body = {"hash": hashed(b"hello"), "file_path": "c.txt"}
        minted = (await http.post("/api/v2/assets/from-hash", json=body)).json()
        assert (minted["created_new"], minted["file_path"]) == (False, "c.txt")
        assert (await http.get(minted["url"])).content == b"hello"
        same = (await http.post("/api/v2/assets/from-hash", json={"hash": hashed(b"hello")})).json()
        assert same["id"] == minted["id"]
        part = await http.get(asset["url"], headers={"range": "bytes=1-2"})
        assert (part.status_code, part.content) == (206, b"el")
        assert (await http.get(f"/api/v2/assets/{asset['id']}")).json()["hash"] == hashed(b"hello")


async def test_a_file_that_was_changed_is_no_longer_that_content(tmp_path: Path):
    async with client(tmp_path) as (http, _):
        asset = (await send(http, b"hello")).json()
        (tmp_path / "in" / "a.txt").write_bytes(b"jello")
        assert (await http.head(f"/api/v2/assets/by-hash/{hashed(b'hello')}")).status_code == 404
        assert (await http.delete(f"/api/v2/assets/{asset['id']}")).status_code == 204
        assert (tmp_path / "in" / "a.txt").read_bytes() == b"jello"


async def test_a_file_goes_with_the_last_of_its_assets(tmp_path: Path):
    (tmp_path / "in").mkdir()
    mine, sent = tmp_path / "in" / "mine.txt", tmp_path / "in" / "a.txt"
    mine.write_bytes(b"mine")
    async with client(tmp_path) as (http, _):
        assets = [(await send(http, b"hello")).json(), (await send(http, b"mine", file_path="mine.txt")).json()]
        for asset in assets:
            assert (await http.delete(f"/api/v2/assets/{asset['id']}")).status_code == 204
            assert code(await http.get(asset["url"])) == (404, "not_found")
        assert (mine.exists(), sent.exists()) == (True, False)
        gone = (await send(http, b"gone")).json()
        sent.unlink()
        assert code(await http.get(gone["url"])) == (404, "output_unavailable")


async def test_an_upload_that_cannot_be_is_refused(tmp_path: Path):
    async with client(tmp_path) as (http, _):
        assert code(await send(http, b"hello", expected_hash=hashed(b"other"))) == (409, "hash_mismatch")
        for path in ("../a.txt", "/etc/passwd", "checkpoints/a.safetensors", "models/vae/a.safetensors", "con"):
            assert code(await send(http, b"hello", file_path=path)) == (422, "invalid_request"), path
        assert code(await http.post("/api/v2/assets", data={"file_path": "a"})) == (400, "invalid_request")
        assert code(await http.post("/api/v2/assets/from-hash", json={})) == (400, "invalid_request")
        missing = await http.post("/api/v2/assets/from-hash", json={"hash": hashed(b"none")})
        assert code(missing) == (404, "blob_not_found")
        for id in ("none", "W10", "WyJhIiwgIjEiLCAwXQ"):
            assert code(await http.get(f"/api/v2/assets/{id}")) == (404, "not_found")
            assert code(await http.delete(f"/api/v2/assets/{id}")) == (404, "not_found")
        assert not (tmp_path / "in").exists() or [*(tmp_path / "in").iterdir()] == []
