"""Another frontend at ``/``; with ComfyUI's own in a real browser, where it is installed.

It is looked for as the package ``comfyui_frontend_package``, or in the folder that COMFYUI_FRONTEND names.
"""

import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from engine.errors import SettingError
from server.comfy.frontend import find_frontend
from server.jobs.store import Wanted
from tests.server.online import Online, online
from tests.server.words import after, n

PACKAGE = "comfyui_frontend_package"
FRONTEND = os.environ.get("COMFYUI_FRONTEND") or (PACKAGE if importlib.util.find_spec(PACKAGE) else None)
CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
in_browser = pytest.mark.skipif(
    FRONTEND is None or CHROMIUM is None or importlib.util.find_spec("playwright") is None,
    reason="ComfyUI's frontend, playwright or Chromium is not installed",
)
EXPECTED = re.compile("ERR_FAILED|api.comfy.org|status of 40[04]|PromptExecutionError|undefined .reading 'id'.")
"""What the frontend complains of: that there is no network, and a prompt that was refused. 1.27.10 sets a setting that
it has not defined yet, whatever the server says.
"""

REFUSED = re.compile("/api/prompt$|/api/userdata/comfy.templates.json$|/api/userdata/workflows%2F.index.json$")
"""What may be refused: a prompt that is not valid, and files that the frontend has not made yet."""

SETTINGS = {"Comfy.TutorialCompleted": True, "Comfy.Workflow.ShowMissingNodesWarning": False}
"""The default workflow of the frontend has nodes that are not in the vocabulary of the tests."""

SKETCHED = """
async () => {
    for (const url of Object.values(window.app.nodePreviewImages ?? {}).flat()) {
        const picture = Object.assign(new Image(), { src: url });
        if (await picture.decode().then(() => picture.naturalWidth === 8, () => false)) return true;
    }
    return false;
}
"""
"""Whether a node shows the preview that the steps send."""

PATIENCE = 30_000


def installed(folder: Path) -> Path:
    """Make a frontend as a package has it."""
    files = {"index.html": "<p>theirs", "assets/a.mjs": "1", "extensions/core/b.js": "2", "c.css": "p {}"}
    for name, text in files.items():
        path = folder / "static" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_frontend_is_served_in_place_of_the_page(tmp_path: Path):
    with online(tmp_path, frontend=str(installed(tmp_path / "theirs"))) as server:

        def get(path: str) -> httpx2.Response:
            return httpx2.get(server.url + path)

        assert get("/").text == "<p>theirs"
        assert get("/assets/a.mjs").headers["content-type"].startswith("text/javascript")
        assert get("/assets/a.mjs").headers["cache-control"] == "no-cache"
        assert (get("/extensions").json(), get("/extensions/core/b.js").text) == ([], "2")
        assert get("/nothing.js").status_code == 404
        assert "Loomis" in get("/loomis").text
        assert get("/object_info").status_code == 200
        assert get("/%2e%2e/%2e%2e/etc/passwd").status_code == 404


def test_a_frontend_is_a_folder_or_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = installed(tmp_path / "their_frontend")
    assert find_frontend(str(folder)) == find_frontend(str(folder / "static")) == folder / "static"
    (folder / "__init__.py").write_text("raise SystemExit('it was run')")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_frontend("their-frontend") == folder / "static"
    for named in ("no-such-frontend", str(tmp_path / "none"), "json"):
        with pytest.raises(SettingError, match="no frontend"):
            find_frontend(named)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    with online(tmp_path_factory.mktemp("server"), frontend=FRONTEND) as server:
        httpx2.post(f"{server.url}/settings", json=SETTINGS)
        yield server


@pytest.fixture(scope="module")
def page(server: Online) -> Iterator[Any]:
    """The frontend, once it has its node types."""
    from playwright.sync_api import expect, sync_playwright

    wrong: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("response", lambda told: wrong.append(told.url) if told.status > 399 and not may(told.url) else None)
        page.route(lambda url: "//127.0.0.1:" not in url, lambda route: route.abort())
        page.goto(server.url)
        ready(page)
        yield page
        browser.close()
    assert [each for each in wrong if not EXPECTED.search(each)] == []


def may(url: str) -> bool:
    return REFUSED.search(url) is not None


def ready(page: Any) -> None:
    page.wait_for_function("() => window.app?.graph && window.LiteGraph?.registered_node_types['Picture']")


def load(page: Any, graph: dict[str, Any]) -> None:
    page.evaluate("graph => window.app.loadApiJson(graph, 'a test')", graph)


def run(page: Any) -> None:
    page.get_by_role("button", name="Run", exact=True).first.click()


@in_browser
def test_a_workflow_runs_and_its_picture_is_shown(server: Online, page: Any):
    load(page, {"1": n("Picture", colour="red")})
    with page.expect_response(lambda response: "/api/view" in response.url) as shown:
        run(page)
    assert (shown.value.status, shown.value.headers["content-type"]) in ((200, "image/png"), (200, "image/webp"))
    page.wait_for_function("() => window.app.graph.nodes.find(node => node.type == 'Picture')?.imgs?.length == 1")


@in_browser
def test_progress_and_preview_are_shown_and_a_run_is_interrupted(server: Online, page: Any):
    load(page, after(Steps={"value": 1, "count": 2000, "seconds": 0.1}))  # it rounds floats to tenths
    run(page)
    page.wait_for_function("() => /^\\[\\d+%\\]/.test(document.title)")
    page.wait_for_function(SKETCHED)
    page.evaluate("() => window.app.api.interrupt(null)")
    page.wait_for_function("() => !/^\\[\\d+%\\]/.test(document.title)")
    (job,) = server.do(server.services.jobs.page(Wanted(limit=1))).jobs
    assert job.state == "cancelled"


@in_browser
def test_a_fault_is_shown_on_its_node(page: Any):
    load(page, {"1": n("Number", value=1), "2": n("Add", a=("1", 0), b=2), "3": n("Show")})
    with page.expect_response(lambda response: response.url.endswith("/prompt")) as refused:
        run(page)
    assert refused.value.status == 400
    assert list(refused.value.json()["node_errors"]) == ["3"]
    page.wait_for_function(
        "() => window.app.graph.nodes.filter(node => node.has_errors || window.app.lastNodeErrors?.[node.id])"
        ".map(node => node.type).join() == 'Show'"
    )


@in_browser
def test_what_ran_is_there_after_a_reload(page: Any):
    listed = re.compile("/api/history|/api/jobs.*completed")
    with page.expect_response(lambda response: listed.search(response.url)) as told:
        page.reload()
    ready(page)
    assert "picture_00001_.png" in told.value.text()
