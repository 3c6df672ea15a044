"""ComfyUI's frontend opens classic workflows over our node types: it misses none of those that we have.

Classic are those of the reference folder whose types are all in its list of such types.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from server.workers.opening import find_vocabulary
from tests.server.comfy.test_frontend import CHROMIUM, FRONTEND, PATIENCE, SETTINGS, in_browser
from tests.server.online import Online, online

REFERENCE = Path(os.environ.get("LOOMIS_REFERENCE", Path(__file__).parents[4] / "shared"))
PAIRS = sorted((REFERENCE / "corpus" / "pairs").glob("*/saved.json"))

VIRTUAL = {"Note", "MarkdownNote", "Reroute", "PrimitiveNode"}
"""Types that are the frontend's own."""


def types_of(saved: Path) -> set[str]:
    """Return the types of all nodes, also in subgraphs, without those that stand for subgraphs."""
    document = json.loads(saved.read_text())
    subgraphs = document.get("definitions", {}).get("subgraphs", [])
    nodes = [node for graph in (document, *subgraphs) for node in graph["nodes"]]
    return {node["type"] for node in nodes} - {subgraph["id"] for subgraph in subgraphs}


def classic() -> list[Path]:
    types = VIRTUAL | set((REFERENCE / "corpus" / "classic_types.txt").read_text().split()) if PAIRS else VIRTUAL
    return [saved for saved in PAIRS if types_of(saved) <= types]


OPEN = """
async (document) => {
    const app = window.app;
    await app.loadGraphData(document, true, false, null);
    const root = app.rootGraph ?? app.graph;
    const graphs = [root, ...(root.subgraphs?.values() ?? [])];
    const nodes = graphs.flatMap((graph) => graph.nodes);
    return Object.fromEntries(nodes.map(({ type }) => [type, type in window.LiteGraph.registered_node_types]));
}
"""

pytestmark = [
    in_browser,
    pytest.mark.reference,
    pytest.mark.skipif(not PAIRS, reason="the reference folder (LOOMIS_REFERENCE) has no pairs"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    folder = tmp_path_factory.mktemp("server")
    with online(folder, workers=0, frontend=FRONTEND, registry=find_vocabulary("nodes:vocabulary")) as server:
        quiet = {"Comfy.Workflow.ShowMissingModelsWarning": False, "Comfy.Validation.Workflows": False}
        httpx2.post(f"{server.url}/settings", json=SETTINGS | quiet)
        yield server


@pytest.fixture(scope="module")
def page(server: Online) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(PATIENCE)
        page.route(lambda url: "//127.0.0.1:" not in url, lambda route: route.abort())
        page.goto(server.url)
        page.wait_for_function("() => window.app?.graph && window.LiteGraph?.registered_node_types['KSampler']")
        yield page
        browser.close()


@pytest.mark.parametrize("saved", classic(), ids=lambda path: path.parent.name)
def test_a_workflow_opens(server: Online, page: Any, saved: Path):
    found = page.evaluate(OPEN, json.loads(saved.read_text()))
    asked, ours = types_of(saved), set(server.services.engine.registry.specs)
    assert asked - found.keys() == set()
    assert {type for type, known in found.items() if not known} == asked - ours - VIRTUAL
