"""One browser and one server for all tests of the pages."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.server.online import Online, online
from tests.server.page.chromium import CHROMIUM

EXPECTED = re.compile("blob:|ERR_CONNECTION|status of 401|WebSocket connection to")
"""What a browser complains of when a server is gone or wants a token, and pictures that are none."""

PATIENCE = 20_000
"""Milliseconds until a test gives up waiting."""


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    with online(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page on which nothing goes wrong unseen, and which loads nothing from elsewhere."""
    from playwright import sync_api as playwright

    wrong: list[str] = []
    with browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce") as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        playwright.expect.set_options(timeout=PATIENCE)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("request", lambda asked: wrong.append(asked.url) if "//127.0.0.1:" not in asked.url else None)
        yield page
    assert [each for each in wrong if not EXPECTED.search(each)] == []
