"""The example editor in a real browser: edit, see states at once, and a live picture that is never stale unseen."""

import json
import re
from typing import Any

import pytest

from server.jobs.store import Wanted
from tests.server.online import Online
from tests.server.page.chromium import CHROMIUM
from tests.server.words import n

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium (Debian: apt-get install chromium)")

GRAPH = {
    "1": n("Paint", red=200, green=50, wait=0.0),
    "2": n("Number", value=4),
    "3": n("Add", a=("2", 0), b=1),
}
PIXEL = """image => image.decode().then(() => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
    canvas.drawImage(image, 0, 0);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
})"""


def loaded(server: Online, page: Any, graph: Any = GRAPH) -> None:
    page.goto(f"{server.url}/editor")
    playwright.expect(page.locator("#connection")).to_have_text("connected")
    file = {"name": "graph.json", "mimeType": "application/json", "buffer": json.dumps(graph).encode()}
    page.get_by_label("Open a workflow").set_input_files(file)


def opened(server: Online, page: Any) -> None:
    """Open the graph in live mode, and wait for its picture."""
    loaded(server, page)
    page.get_by_role("button", name="Live").click()
    playwright.expect(page.locator("#freshness")).to_have_text(re.compile("current"))


def node(page: Any, id: str) -> Any:
    return page.locator(f"#node-{id}")


def colour(page: Any) -> list[int]:
    return list(page.locator("#picture").evaluate(PIXEL))


def near(found: list[int], red: int, green: int) -> bool:
    """WEBP is lossy."""
    return abs(found[0] - red) < 12 and abs(found[1] - green) < 12 and found[2] < 12


def test_nothing_runs_before_it_is_asked_for(server: Online, page: Any):
    loaded(server, page, {"1": n("Paint", red=7, green=130, wait=0.0)})
    playwright.expect(node(page, "1").locator(".why")).to_have_text("runs: never run")
    playwright.expect(page.locator("#freshness")).to_have_text("not run: press Run, or Live")
    page.get_by_label("red of 1", exact=True).fill("9")
    playwright.expect(node(page, "1").locator(".why")).to_contain_text("runs")
    count = server.services.jobs.store.page(Wanted()).total
    page.get_by_role("button", name="Run").click()
    playwright.expect(page.locator("#freshness")).to_have_text(re.compile("current"))
    assert near(colour(page), 9, 130)
    assert server.services.jobs.store.page(Wanted()).total == count + 1


def test_the_picture_follows_the_sliders(server: Online, page: Any):
    opened(server, page)
    assert near(colour(page), 200, 50)
    for red in (20, 90, 160):
        page.get_by_label("red of 1", exact=True).fill(str(red))
    playwright.expect(page.locator("#freshness")).to_have_text(re.compile("current"))
    playwright.expect(node(page, "1").locator(".why")).to_have_text("remembered")
    assert near(colour(page), 160, 50)


def test_a_picture_that_is_stale_is_shown_as_stale(server: Online, page: Any):
    opened(server, page)
    page.get_by_label("number of wait of 1").fill("0.5")
    playwright.expect(page.locator("#freshness")).to_have_text("out of date")
    playwright.expect(page.locator("#picture")).to_have_class("stale")
    assert near(colour(page), 200, 50)
    playwright.expect(page.locator("#freshness")).to_have_text(re.compile("current"))
    playwright.expect(page.locator("#picture")).not_to_have_class("stale")


def test_nodes_are_added_connected_and_removed(server: Online, page: Any):
    opened(server, page)
    expect = playwright.expect
    page.get_by_label("Type of a new node").fill("Add")
    page.get_by_role("button", name="Add").click()
    expect(node(page, "4")).to_have_class("node invalid")
    expect(node(page, "4").locator(".why")).to_contain_text("input a: it is missing")
    page.get_by_label("number of b of 4").fill("5")
    node(page, "3").locator(".dot.out").hover()
    page.mouse.down()
    node(page, "4").locator(".row").first.locator("label").hover()
    page.mouse.up()
    expect(node(page, "4").locator(".dot.linked")).to_have_count(1)
    expect(node(page, "4")).to_have_class(re.compile("runs|depends"))
    node(page, "4").get_by_title("Look at its value").click()
    expect(page.locator("#value")).to_have_text("10")
    node(page, "3").get_by_title("Remove").click()
    expect(node(page, "3")).to_have_count(0)
    expect(node(page, "4").locator(".dot.linked")).to_have_count(0)
    expect(page.locator("#freshness")).to_have_text("out of date")


def test_the_session_is_taken_up_again_after_a_lost_connection(server: Online, page: Any):
    opened(server, page)
    page.get_by_label("number of green of 1").fill("70")
    playwright.expect(page.locator("#freshness")).to_have_text(re.compile(r"current \(revision 2\)"))
    server.cut_off()
    playwright.expect(page.locator("#connection")).to_have_text("not connected")
    playwright.expect(page.locator("#connection")).to_have_text("connected")
    page.get_by_label("number of green of 1").fill("150")
    playwright.expect(page.locator("#freshness")).to_have_text(re.compile(r"current \(revision 3\)"))
    assert near(colour(page), 200, 150)
