from pathlib import Path

import pytest

from server.page.documents import STATIC
from tests.server.app.test_jobs import client

pytestmark = pytest.mark.anyio


async def test_the_pages_come_with_a_policy(tmp_path: Path):
    async with client(tmp_path) as (http, _):
        for path in ("/", "/editor"):
            page = await http.get(path)
            assert page.headers["content-type"].startswith("text/html")
            assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")


async def test_every_file_of_the_pages_has_a_type_that_browsers_run(tmp_path: Path):
    types = {".js": "text/javascript", ".css": "text/css", ".png": "image/png", ".html": "text/html"}
    async with client(tmp_path) as (http, _):
        for file in STATIC.iterdir():
            answer = await http.get(f"/page/{file.name}")
            assert answer.headers["content-type"].startswith(types[file.suffix]), file.name
            assert answer.content == file.read_bytes()


@pytest.mark.parametrize("path", ["/page/", "/page/..%2fdocuments.py", "/page/%2e%2e/routes.py", "/page/nowhere.js"])
async def test_nothing_else_is_there(tmp_path: Path, path: str):
    async with client(tmp_path) as (http, _):
        assert (await http.get(path)).status_code == 404
