"""The example editor in a real browser: what it asks of the server, and what a person sees of the answers."""

import json
import re
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from server.jobs.store import Wanted
from tests.server.online import Online, online
from tests.server.page.chromium import CHROMIUM
from tests.server.socket.test_sessions import png
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
COLOURED = f"""async ([id, red, green]) => {{
    const figure = document.querySelector(`#node-${{id}} figure`);
    const image = figure.querySelector("img");
    if (!image || figure.classList.contains("stale") || figure.querySelector("figcaption").textContent) return false;
    const [r, g, b] = await ({PIXEL})(image).catch(() => [0, 0, 255]);
    return Math.abs(r - red) < 12 && Math.abs(g - green) < 12 && b < 12;
}}"""
PULL = """(slider, values) => {
    for (const value of values) {
        slider.value = value;
        slider.dispatchEvent(new Event("input", { bubbles: true }));
    }
    slider.dispatchEvent(new Event("change", { bubbles: true }));
}"""
DROP = """([name, text]) => {
    const data = new DataTransfer();
    data.items.add(new File([text], name));
    document.getElementById("canvas").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
}"""


class Editor:
    """The page with a graph in it. ``sent`` are the commands that it sent."""

    def __init__(self, server: Online, page: Any) -> None:
        self.server, self.page = server, page
        self.sent: list[dict[str, Any]] = []
        page.on("websocket", lambda socket: socket.on("framesent", self._hear))

    def _hear(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            frame = frame[4 : 4 + int.from_bytes(frame[:4], "big")].decode()
        self.sent.append(json.loads(frame))

    def open(self, graph: Any = GRAPH) -> "Editor":
        self.page.goto(f"{self.server.url}/editor")
        playwright.expect(self.page.locator("#connection")).to_have_text("connected")
        playwright.expect(self.node("7")).to_be_visible()
        return self.load(json.dumps(graph).encode(), len(graph))

    def load(self, data: bytes, count: int) -> "Editor":
        self.page.locator("#file").set_input_files({"name": "graph", "mimeType": "", "buffer": data})
        playwright.expect(self.page.locator(".node")).to_have_count(count)
        return self

    def node(self, id: str) -> Any:
        return self.page.locator(f"#node-{id}")

    def is_state(self, id: str, text: str | re.Pattern[str]) -> None:
        playwright.expect(self.node(id).locator(".state")).to_have_text(text)

    def field(self, input: str, id: str) -> Any:
        return self.page.get_by_label(f"{input} of {id}", exact=True)

    def button(self, name: str) -> Any:
        return self.page.locator(".tools").get_by_role("button", name=name, exact=True)

    def live(self) -> None:
        self.page.get_by_role("switch", name="Live").click()

    def commands(self, name: str) -> list[dict[str, Any]]:
        return [each for each in self.sent if each["command"] == name]

    def edits(self) -> list[dict[str, Any]]:
        return [edit for each in self.commands("session.edit") for edit in each["edits"]]

    def has_colour(self, id: str, red: int, green: int) -> None:
        """Wait until a node shows a picture of this colour as current. WEBP is lossy."""
        last = time.monotonic() + 20
        while not self.page.evaluate(COLOURED, [id, red, green]):  # wait_for_function takes a promise for a yes
            assert time.monotonic() < last, f"node {id} does not show {red}, {green}"
            self.page.wait_for_timeout(20)

    def dot(self, id: str, input: str = "", output: int = 0) -> Any:
        which = f"[data-input={input}]" if input else f"[data-output='{output}']"
        return self.node(id).locator(f".dot{which}")

    def drag(self, source: Any, target: Any) -> None:
        source.hover()
        self.page.mouse.down()
        target.hover()
        self.page.mouse.up()

    def exported(self) -> str:
        with self.page.expect_download() as download:
            self.button("Export").click()
        return Path(download.value.path()).read_text()


@pytest.fixture
def editor(server: Online, page: Any) -> Iterator[Editor]:
    yield Editor(server, page)
    page.evaluate("sessionStorage.clear()")


def jobs(server: Online) -> int:
    return server.services.jobs.store.page(Wanted()).total


def test_nothing_runs_before_it_is_asked_for(editor: Editor):
    count = jobs(editor.server)
    editor.open({"1": n("Paint", red=7, green=130, wait=0.0)})
    editor.is_state("1", "● would run: never run")
    playwright.expect(editor.node("1").locator("figcaption")).to_have_text("nothing yet")
    editor.field("red", "1").fill("9")
    editor.is_state("1", re.compile("would run"))
    assert jobs(editor.server) == count
    editor.button("Run").click()
    editor.has_colour("1", 9, 130)
    editor.is_state("1", "✓ remembered")
    assert jobs(editor.server) == count + 1


def test_the_graph_is_kept_over_a_reload(editor: Editor):
    editor.open()
    editor.field("b", "3").fill("7")
    editor.node("2").press("ArrowDown")
    playwright.expect(editor.button("Undo")).to_be_enabled()
    playwright.expect(editor.field("b", "3")).to_have_value("7")
    place = editor.node("2").evaluate("node => node.style.top")
    count = jobs(editor.server)
    editor.page.reload()
    playwright.expect(editor.field("b", "3")).to_have_value("7")
    assert editor.node("2").evaluate("node => node.style.top") == place
    assert len(editor.commands("session.open")) == 1 and len(editor.commands("session.get")) == 1
    editor.button("Undo").click()
    editor.button("Undo").click()
    playwright.expect(editor.field("b", "3")).to_have_value("1")
    assert jobs(editor.server) == count


def test_live_mode_follows_what_is_set_and_is_one_step_of_undo(editor: Editor):
    editor.open()
    editor.live()
    editor.has_colour("1", 200, 50)
    editor.page.get_by_label("red of 1, slider").evaluate(PULL, ["20", "90", "160"])
    editor.has_colour("1", 160, 50)
    editor.is_state("1", "✓ remembered")
    editor.button("Undo").click()
    playwright.expect(editor.field("red", "1")).to_have_value("200")
    editor.has_colour("1", 200, 50)
    assert editor.commands("session.run") == []
    editor.live()
    playwright.expect(editor.page.get_by_role("switch", name="Live")).to_have_attribute("aria-checked", "false")
    assert [each["on"] for each in editor.commands("session.live")] == [True, False]


def test_live_mode_saves_nothing(editor: Editor):
    editor.open({"1": n("Number", value=61), "2": n("Save", value=("1", 0))})
    editor.live()
    editor.is_state("1", "✓ remembered")
    assert [each["targets"] for each in editor.commands("session.live")] == [["1"]]
    editor.button("Run").click()
    playwright.expect(editor.node("2").get_by_role("link")).to_have_text(re.compile("text_"))
    assert editor.commands("session.run")[0]["targets"] == ["2"]


def test_a_picture_that_is_stale_is_shown_as_stale(editor: Editor):
    editor.open()
    editor.live()
    editor.has_colour("1", 200, 50)
    editor.field("wait", "1").fill("0.4")
    figure = editor.node("1").locator("figure")
    playwright.expect(figure).to_have_class(re.compile("stale"))
    playwright.expect(figure.locator("figcaption")).to_have_text("out of date")
    editor.is_state("1", "▶ running")
    editor.has_colour("1", 200, 50)
    playwright.expect(figure).not_to_have_class(re.compile("stale"))


def test_a_node_is_found_by_words_or_by_what_it_is_spelled_like(editor: Editor):
    editor.open()
    options = editor.page.get_by_role("option")
    editor.page.keyboard.press("a")
    search = editor.page.get_by_role("combobox", name="Type, title or category")
    search.fill("Paimt")
    playwright.expect(editor.page.locator("#adding .told")).to_have_text(re.compile("Did you mean"))
    playwright.expect(options.first).to_contain_text("Paint")
    search.fill("one colour")
    playwright.expect(options).to_have_count(1)
    playwright.expect(editor.page.locator("#adding .told")).to_have_text("")
    search.press("Enter")
    playwright.expect(editor.node("4")).to_be_focused()
    editor.is_state("4", "! invalid")
    assert editor.edits()[0]["inputs"] == {"wait": 0.0}
    playwright.expect(editor.node("4").locator(".fault").first).to_have_text(re.compile("^it is missing"))
    editor.field("red", "4").fill("10")
    editor.field("green", "4").fill("300")
    fault = editor.node("4").locator(".row", has=editor.field("green", "4")).locator(".fault")
    playwright.expect(fault).to_have_text(re.compile("300"))
    playwright.expect(editor.field("green", "4")).to_have_attribute("aria-invalid", "")
    editor.field("green", "4").fill("30")
    playwright.expect(fault).to_have_text("")
    editor.is_state("4", re.compile("would run"))
    editor.node("4").press("Delete")
    playwright.expect(editor.node("4")).to_have_count(0)


def test_a_link_is_drawn_only_where_it_fits(editor: Editor):
    editor.open({**GRAPH, "5": n("Length", text="abc"), "6": n("Add", b=5), "7": n("Number", value=808)})
    editor.dot("3").hover()
    editor.page.mouse.down()
    fits = editor.page.locator(".dot.fits")
    expected = ["1 green", "1 red", "6 a", "6 b", "7 value"]
    assert sorted(fits.evaluate_all("dots => dots.map((d) => `${d.dataset.node} ${d.dataset.input}`)")) == expected
    editor.dot("5", "text").hover()
    editor.page.mouse.up()
    playwright.expect(editor.page.locator("#said")).to_have_text("INT does not fit input text of node 5.")
    editor.drag(editor.dot("3"), editor.dot("2", "value"))
    playwright.expect(editor.page.locator("#said")).to_have_text("That would be a circle.")
    assert editor.edits() == []
    editor.drag(editor.dot("3"), editor.node("6").locator("label").first)
    editor.is_state("6", re.compile("would run|above it runs"))
    playwright.expect(editor.page.locator("#said")).to_have_text("")
    assert editor.edits() == [{"op": "connect", "node": "6", "input": "a", "source": "3", "output": 0}]
    editor.node("6").get_by_role("button", name="Run to this node").click()
    playwright.expect(editor.node("6").locator(".look")).to_have_text("10")
    playwright.expect(editor.node("3").locator(".look")).to_have_text("5")
    editor.is_state("7", re.compile("would run"))
    editor.dot("6", "a").click()
    editor.is_state("6", "! invalid")


def test_a_graph_with_faults_everywhere_is_told_them_when_it_shall_run(editor: Editor):
    editor.open({"1": n("Add", b=5), "2": n("Show", value=("1", 0))})
    editor.is_state("2", re.compile("^! invalid"))
    editor.page.get_by_role("button", name="Run", exact=True).click()
    playwright.expect(editor.page.locator("#said")).to_have_text("Node 1 (Add), input a: it is missing.")


def test_a_link_is_made_with_the_keyboard(editor: Editor):
    editor.open({"1": n("Number", value=4), "2": n("Add", b=5)})
    editor.dot("1").press("Enter")
    playwright.expect(editor.dot("2", "a")).to_have_class(re.compile("fits"))
    editor.dot("2", "a").press("Enter")
    playwright.expect(editor.dot("2", "a")).to_have_class(re.compile("linked"))
    editor.dot("1").press("Enter")
    editor.dot("1").press("Escape")
    playwright.expect(editor.page.locator(".dot.fits")).to_have_count(0)


def test_the_error_of_a_run_is_on_its_node_until_it_is_mended(editor: Editor):
    editor.open({"1": n("Number", value=71), "2": n("Fail", value=("1", 0)), "3": n("Number", value=5)})
    editor.button("Run").click()
    editor.is_state("2", "✕ failed")
    wrong = editor.node("2").locator(".wrong")
    playwright.expect(wrong).to_contain_text("no 71")
    playwright.expect(editor.page.locator("#said")).to_contain_text("no 71")
    editor.field("value", "3").fill("6")
    playwright.expect(editor.page.locator("#said")).to_have_text("")
    playwright.expect(wrong).to_contain_text("no 71")
    editor.page.reload()
    playwright.expect(wrong).to_contain_text("no 71")
    editor.field("value", "1").fill("72")
    editor.is_state("2", re.compile("above it runs"))
    playwright.expect(wrong).to_have_text("")


def test_a_run_shows_progress_and_previews_and_can_be_cancelled(editor: Editor):
    editor.open({"1": n("Steps", value=1, count=100, seconds=0.05)})
    playwright.expect(editor.button("Cancel")).to_be_disabled()
    editor.button("Run").click()
    editor.is_state("1", re.compile(r"running: \d+ of 100"))
    playwright.expect(editor.node("1").locator("figcaption")).to_have_text("preview")
    assert editor.node("1").locator("figure img").evaluate(PIXEL)[0] > 200
    assert editor.node("1").get_by_role("progressbar").get_attribute("max") == "100"
    editor.page.reload()
    editor.is_state("1", re.compile(r"running: \d+ of 100"))
    editor.button("Cancel").click()
    editor.is_state("1", re.compile("would run"))
    playwright.expect(editor.node("1").get_by_role("progressbar")).to_be_hidden()
    playwright.expect(editor.button("Cancel")).to_be_disabled()


def test_a_file_is_opened_exported_and_taken_back(editor: Editor):
    seed = 2**64 - 3
    editor.open().load(png({"1": n("Number", value=seed)}), 1)
    playwright.expect(editor.field("value", "1")).to_have_value(str(seed))
    assert json.loads(editor.exported()) == {"1": n("Number", value=seed)}
    editor.field("value", "1").fill(str(seed - 1))
    editor.is_state("1", re.compile("would run|invalid"))
    assert json.loads(editor.exported())["1"]["inputs"]["value"] == seed - 1
    editor.page.evaluate(DROP, ["a.json", json.dumps({"a": 1})])
    playwright.expect(editor.page.locator("#said")).not_to_have_text("")
    playwright.expect(editor.page.locator(".node")).to_have_count(1)
    editor.page.evaluate(DROP, ["b.json", json.dumps({**GRAPH, "4": n("Number", value=2)})])
    playwright.expect(editor.page.locator(".node")).to_have_count(4)
    playwright.expect(editor.page.locator("#said")).to_have_text("")
    for count in (1, 1, 3):
        editor.page.keyboard.press("Control+z")
        playwright.expect(editor.page.locator(".node")).to_have_count(count)
    playwright.expect(editor.page.locator("#empty")).to_be_hidden()
    editor.button("New").click()
    playwright.expect(editor.page.locator(".node")).to_have_count(0)
    playwright.expect(editor.page.locator("#empty")).to_be_visible()


def test_the_results_of_one_graph_are_not_those_of_the_next(editor: Editor):
    editor.open({"1": n("Number", value=52), "2": n("Save", value=("1", 0))})
    editor.button("Run").click()
    playwright.expect(editor.node("1").locator(".look")).to_have_text("52")
    playwright.expect(editor.node("2").get_by_role("link")).to_have_count(1)
    editor.load(json.dumps({"1": n("Number", value=53), "2": n("Save", value=("1", 0)), "3": n("Add")}).encode(), 3)
    playwright.expect(editor.node("1").locator("figcaption")).to_have_text("nothing yet")
    playwright.expect(editor.node("1").locator(".look")).to_have_text("")
    playwright.expect(editor.node("2").get_by_role("link")).to_have_count(0)


def test_a_result_is_shown_in_full(editor: Editor):
    editor.open()
    editor.button("Run").click()
    editor.has_colour("1", 200, 50)
    editor.node("1").get_by_role("button", name="Result of Paint").click()
    dialog = editor.page.get_by_role("dialog", name="Paint")
    picture = dialog.get_by_alt_text("Paint, picture 1 of 1")
    playwright.expect(picture).to_be_visible()
    assert picture.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [48, 32]
    dialog.get_by_role("button", name="Close").click()
    playwright.expect(dialog).to_have_count(0)
    editor.node("3").get_by_role("button", name="Result of Add: 5").click()
    playwright.expect(editor.page.locator("dialog pre")).to_have_text("5")
    editor.page.keyboard.press("Escape")
    playwright.expect(editor.page.locator("dialog pre")).to_have_count(0)


def test_a_node_of_an_unknown_type_is_shown_with_its_links(editor: Editor):
    editor.open({"1": n("Nowhere", given=3), "2": n("Add", a=("1", 1), b=1)})
    playwright.expect(editor.page.locator("svg path")).to_have_count(1)
    playwright.expect(editor.node("1").locator(".wrong")).to_contain_text("there is no node type 'Nowhere'")
    playwright.expect(editor.node("1").locator(".plain")).to_have_text("3")
    editor.dot("1", output=0).click()
    playwright.expect(editor.dot("2", "b")).to_have_class(re.compile("fits"))
    editor.dot("2", "b").click()
    playwright.expect(editor.page.locator("svg path")).to_have_count(2)


def test_a_list_that_is_no_link_is_shown_as_it_is(editor: Editor):
    editor.open({"1": n("Number", value=1), "2": n("Nowhere", a=["1", 'x"]'], b=["constructor", 0])})
    playwright.expect(editor.node("2").locator(".plain")).to_have_text(['["1","x\\"]"]', '["constructor",0]'])
    playwright.expect(editor.page.locator("svg path")).to_have_count(0)


def test_what_is_set_while_the_connection_is_lost_is_not(editor: Editor):
    editor.open()
    editor.live()
    editor.has_colour("1", 200, 50)
    editor.server.cut_off()
    playwright.expect(editor.page.locator("#connection")).to_have_text(re.compile("lost"))
    editor.field("green", "1").fill("150")
    playwright.expect(editor.page.locator("#connection")).to_have_text("connected")
    editor.has_colour("1", 200, 150)
    assert len(editor.commands("session.open")) == 1


def test_what_is_set_while_the_server_is_down_is_not_lost(page: Any, tmp_path: Path):
    with online(tmp_path) as server:
        editor = Editor(server, page).open()
    playwright.expect(page.locator("#connection")).to_have_text(re.compile("lost"))
    editor.field("green", "1").fill("150")
    for _ in range(2):
        with page.expect_websocket():
            pass
    with online(tmp_path, port=server.port):
        playwright.expect(page.locator("#connection")).to_have_text("connected")
        editor.button("Run").click()
        editor.has_colour("1", 200, 150)


def test_a_graph_that_another_tab_takes_can_be_taken_back(editor: Editor, page: Any):
    editor.open()
    stored = page.evaluate("sessionStorage.getItem('loomis.session')")
    with page.context.new_page() as other:
        other.add_init_script(f"sessionStorage.setItem('loomis.session', '{stored}')")
        other.goto(page.url)
        playwright.expect(other.locator(".node")).to_have_count(3)
        playwright.expect(page.locator("#taken")).to_be_visible()
        playwright.expect(editor.button("Run")).to_be_disabled()
        page.get_by_role("button", name="Use it here").click()
        playwright.expect(other.locator("#taken")).to_be_visible()
        playwright.expect(page.locator("#taken")).to_be_hidden()


def test_all_nodes_are_in_sight(editor: Editor):
    chain = {str(id): n("Add", a=(str(id - 1), 0), b=1) for id in range(2, 10)}
    editor.open({"1": n("Number", value=1), **chain})
    inside = """nodes => nodes.every((node) => {
        const [box, frame] = [node, node.closest("main")].map((each) => each.getBoundingClientRect());
        return box.left >= frame.left && box.right <= frame.right && box.top >= frame.top && box.bottom <= frame.bottom;
    })"""
    editor.page.wait_for_function(f"() => ({inside})([...document.querySelectorAll('.node')])")
    editor.page.locator("#canvas").hover(position={"x": 5, "y": 5})
    editor.page.mouse.wheel(0, -900)
    assert not editor.page.locator(".node").evaluate_all(inside)
    editor.button("Fit").click()
    assert editor.page.locator(".node").evaluate_all(inside)
    editor.node("9").locator(".title").hover()
    editor.page.mouse.down()
    editor.page.mouse.move(600, 700)
    editor.page.mouse.up()
    playwright.expect(editor.button("Undo")).to_be_enabled()
    assert {edit["node"] for edit in editor.edits()} == {str(id) for id in range(1, 10)}
    wires = editor.page.locator("svg path")
    assert wires.count() == 8


LAYOUT = """async (sources) => {
    const { apart, layered } = await import("/page/editor/layout.js");
    const heights = Object.fromEntries(Object.keys(sources).map((id, place) => [id, 100 + 10 * place % 70]));
    const places = layered(sources, heights);
    const higher = Object.fromEntries(Object.entries(heights).map(([id, height]) => [id, 2 * height]));
    const same = apart(places, heights);
    const isKept = Object.keys(places).every((id) => `${same[id]}` === `${places[id]}`);
    return [[places, heights], [apart(places, higher), higher], isKept];
}"""


@pytest.mark.parametrize("sources", [
    {"1": [], "2": ["1"], "3": ["1"], "4": [], "5": ["1", "2", "3", "4"], "6": ["5", "1"]},
    {str(id): [str(below) for below in (id - 1, id - 2) if below > 0] for id in range(1, 2000)},
    {"1": ["3"], "2": ["1"], "3": ["2"], "4": ["3"]},
    {},
], ids=["portrait", "ladder", "circle", "empty"])  # fmt: skip
def test_the_layout(editor: Editor, sources: dict[str, list[str]]):
    editor.page.goto(f"{editor.server.url}/editor")
    *laid, is_kept = editor.page.evaluate(LAYOUT, sources)
    assert is_kept
    for places, heights in laid:
        assert places.keys() == sources.keys()
        links = [(source, id) for id, above in sources.items() for source in above]
        backwards = [link for link in links if places[link[0]][0] >= places[link[1]][0]]
        assert len(backwards) == (1 if sources.get("1") == ["3"] else 0)
        columns: dict[int, list[tuple[int, int]]] = {}
        for id, (x, y) in places.items():
            columns.setdefault(x, []).append((y, y + heights[id]))
        for column in map(sorted, columns.values()):
            assert all(below[0] > above[1] for above, below in pairwise(column))
