from pathlib import Path

import httpx2
import pytest

from server.page.documents import STATIC
from tests.server.online import Online

TYPES = {".js": "text/javascript", ".css": "text/css", ".png": "image/png", ".html": "text/html"}


@pytest.mark.parametrize("path", ["/", "/editor"])
def test_the_pages_come_with_a_policy(server: Online, path: str):
    page = httpx2.get(server.url + path)
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")


def test_every_file_of_the_pages_has_a_type_that_browsers_run(server: Online):
    with httpx2.Client() as client:
        for file in filter(Path.is_file, STATIC.rglob("*")):
            answer = client.get(f"{server.url}/page/{file.relative_to(STATIC)}")
            assert answer.headers["content-type"].startswith(TYPES[file.suffix]), file.name
            assert answer.content == file.read_bytes()


@pytest.mark.parametrize("path", ["/page/", "/page/..%2fdocuments.py", "/page/%2e%2e/routes.py", "/page/nowhere.js"])
def test_nothing_else_is_there(server: Online, path: str):
    assert httpx2.get(server.url + path).status_code == 404
