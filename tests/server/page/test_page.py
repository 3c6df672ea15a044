"""The page in a real browser, against a real server. One browser for all of them."""

import json
import re
from pathlib import Path

import pytest

from server.jobs.records import Submission
from server.security.access import read_access
from server.workers.contract import Uses
from tests.server.online import Online, online
from tests.server.page.chromium import CHROMIUM
from tests.server.words import after, n, ran, shown

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium (Debian: apt-get install chromium)")


def busy(steps: int = 50, seconds: float = 0.1) -> dict[str, object]:
    return {"value": steps, "count": steps, "seconds": seconds}


def test_what_runs_what_waits_and_what_came_of_it(server: Online, page: playwright.Page):
    jobs, expect = server.services.jobs, playwright.expect
    page.goto(server.url)
    expect(page.locator("#connection")).to_have_text("connected")
    expect(page.locator("#now")).to_contain_text("Nothing runs.")
    expect(page.locator("#queue")).to_contain_text("Nothing waits.")
    server.do(jobs.submit(Submission(after(Steps=busy(25)), id="runs", labels=("the first",))))
    server.do(jobs.submit(Submission({"1": n("Picture", colour="red")}, id="waits", labels=("a picture",))))

    now = page.get_by_role("article", name="Job the first")
    expect(now).to_contain_text("Steps")
    expect(now.locator("img")).to_have_attribute("src", re.compile("^blob:"))
    expect(now.locator(".count")).to_have_text(re.compile(r"\d+ % · [01] of 2 nodes"))
    expect(now.locator(".left")).to_have_text(re.compile(r"about .* left"))
    expect(now.locator(".nodes .running .time")).to_have_text(re.compile(r"\d+ / 25"))
    expect(now.locator(".nodes .running .why")).to_have_text("never run")
    expect(page.locator("#queue")).to_contain_text("a picture")
    expect(page.locator("#counts")).to_have_text("1 running · 1 waiting")

    picture = page.get_by_role("button", name="Job a picture, succeeded").locator("img")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    expect(page.get_by_role("button", name="Job the first, succeeded")).to_contain_text("25")
    expect(page.locator("#now")).to_contain_text("Nothing runs.")


def test_why_each_node_ran_is_told(server: Online, page: playwright.Page):
    jobs = server.services.jobs
    server.do(ran(jobs, after(Add={"a": 100, "b": 1}), id="why-1", labels=("before",)))
    graph = {"1": n("Add", a=100, b=1), "2": n("Show", value=("1", 0)), "3": n("Add", a=100, b=3)}
    graph["3"]["_meta"] = {"title": "My sum"}
    graph["4"] = n("Show", value=("3", 0))
    server.do(ran(jobs, graph, id="why-2", labels=("afterwards",)))
    page.goto(server.url)
    page.get_by_role("button", name="Job afterwards, succeeded").click()
    dialog = page.get_by_role("dialog")
    row = dialog.get_by_role("listitem").filter(has_text="My sum")
    playwright.expect(row).to_contain_text("b changed")
    playwright.expect(dialog.locator("li.remembered")).to_have_count(2)
    playwright.expect(dialog).to_contain_text("103")
    page.keyboard.press("Escape")
    playwright.expect(dialog).to_be_hidden()


def test_a_job_that_failed_says_what_to_do(server: Online, page: playwright.Page):
    server.do(ran(server.services.jobs, after(Fail={"value": 9}), labels=("it fails",)))
    page.goto(server.url)
    shot = page.get_by_role("button", name="Job it fails, failed")
    playwright.expect(shot).to_contain_text("no 9")
    shot.click()
    playwright.expect(page.get_by_role("dialog").locator("p.error")).to_contain_text("Node 1")
    playwright.expect(page.get_by_role("dialog").locator("li.failed")).to_have_count(1)


def test_the_queue_is_steered(server: Online, page: playwright.Page):
    jobs, expect = server.services.jobs, playwright.expect
    page.goto(server.url)
    for name in ("long", "second", "third"):
        server.do(jobs.submit(Submission(after(Steps=busy(200)), id=name, labels=(name,))))
    waiting = page.locator("#queue .what")
    expect(waiting).to_have_text(["second", "third"])
    page.get_by_role("button", name="Run job third next").click()
    expect(waiting).to_have_text(["third", "second"])
    page.get_by_role("button", name="Cancel job second").click()
    expect(waiting).to_have_text(["third"])
    page.get_by_role("button", name="Pause queue").click()
    expect(page.get_by_role("button", name="Resume queue")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#counts")).to_contain_text("paused")
    page.get_by_role("article", name="Job long").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Job long, cancelled")).to_be_visible()
    page.get_by_role("button", name="Cancel job third").click()
    page.get_by_role("button", name="Resume queue").click()
    expect(page.locator("#counts")).to_have_text("0 running · 0 waiting")


def test_resources_are_shown(server: Online, page: playwright.Page):
    page.goto(server.url)
    told = re.compile(r"Memory\s*[\d.]+ [MG]B of .*Store.*of 20 GB")
    playwright.expect(page.locator("#resources")).to_contain_text(told)
    playwright.expect(page.locator("#resources")).to_contain_text("cpu-0")
    playwright.expect(page.locator("#resources")).not_to_contain_text("GPU memory")
    worker = server.services.dispatcher.workers[0]
    worker.uses = Uses(16 * 10**9, 10 * 10**9, 4 * 10**9, 10**9)
    playwright.expect(page.locator("#resources")).to_contain_text(re.compile(r"GPU memory cpu-0\s*3.7 GB of 15 GB"))
    worker.uses = Uses()


def test_a_page_that_comes_late_shows_what_runs_from_its_beginning(server: Online, page: playwright.Page):
    jobs = server.services.jobs
    graph = {"1": n("Number", value=77), "2": n("Steps", value=("1", 0), count=60, seconds=0.1)}
    graph["3"] = n("Show", value=("2", 0))
    server.do(jobs.submit(Submission(graph, id="late", labels=("late",))))
    page.wait_for_timeout(500)
    page.goto(server.url)
    now = page.get_by_role("article", name="Job late")
    playwright.expect(now.locator(".nodes .ran .name")).to_have_text(["Number"])
    playwright.expect(now.locator(".nodes .running .name")).to_have_text(["Steps"])
    server.do(jobs.cancel("late"))


def test_it_comes_back_after_the_server_was_gone(tmp_path: Path, page: playwright.Page):
    expect = playwright.expect
    with online(tmp_path) as first:
        port = int(first.url.rpartition(":")[2])
        page.goto(first.url)
        expect(page.locator("#connection")).to_have_text("connected")
    expect(page.locator("#connection")).to_have_class(re.compile("closed|connecting"))
    with online(tmp_path, port=port) as second:
        server_job = second.do(ran(second.services.jobs, shown(5), labels=("meanwhile",)))
        assert server_job.state == "succeeded"
        expect(page.locator("#connection")).to_have_text("connected")
        expect(page.get_by_role("button", name="Job meanwhile, succeeded")).to_be_visible()


def test_a_connection_that_is_lost_between_a_question_and_its_answer_is_made_again(
    server: Online, page: playwright.Page
):
    asked: list[str] = []

    def lose_the_first_answers(route: playwright.WebSocketRoute) -> None:
        beyond = route.connect_to_server()

        def ask(message: str | bytes) -> None:
            asked.append(json.loads(message)["command"])
            if len(asked) <= 2:
                route.close()
            else:
                beyond.send(message)

        route.on_message(ask)

    page.route_web_socket(re.compile("/api/v1/ws"), lose_the_first_answers)
    page.goto(server.url)
    playwright.expect(page.locator("#counts")).to_contain_text("running")
    assert asked[:4] == ["ping", "ping", "ping", "subscribe"]


def test_a_token_is_asked_for_once(tmp_path: Path, page: playwright.Page):
    token = "a-token-for-this-test"
    with online(tmp_path, read_access("127.0.0.1", 0, token=token)) as server:
        page.goto(server.url)
        page.get_by_label("Token").fill("wrong")
        page.get_by_role("button", name="Open").click()
        playwright.expect(page.get_by_role("alert")).to_have_text("That is not the token.")
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Open").click()
        playwright.expect(page.locator("#connection")).to_have_text("connected")
        assert token not in page.url
        assert page.evaluate("document.cookie") == ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_is_seen_in_any_light_and_width(server: Online, page: playwright.Page, scheme: str, width: int):
    jobs = server.services.jobs
    server.do(jobs.submit(Submission(after(Steps=busy(200)), id=f"{scheme}{width}", labels=("long name " * 12,))))
    server.do(jobs.submit(Submission(shown(1), id=f"{scheme}{width}-next", labels=("x" * 200,))))
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(server.url)
    playwright.expect(page.locator("#queue")).to_contain_text("xxx")
    playwright.expect(page.locator("#now .nodes")).to_contain_text("Steps")
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
    assert (brightness > 128) == (scheme == "light")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for id in (f"{scheme}{width}-next", f"{scheme}{width}"):
        server.do(jobs.cancel(id))


def test_everything_has_a_name_and_one_heading_leads(server: Online, page: playwright.Page):
    page.goto(server.url)
    playwright.expect(page.locator("#connection")).to_have_text("connected")
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.lang") == "en"
    nameless = """() => [...document.querySelectorAll("button, img, progress, section, dialog, [tabindex]")]
      .filter((each) => !(each.getAttribute("aria-label") || each.getAttribute("aria-labelledby") || each.alt
        || each.textContent.trim())).map((each) => each.outerHTML)"""
    assert page.evaluate(nameless) == []


ESTIMATE = """async ([facts, steps, now]) => {
  const { newStory, tell, advance, estimate } = await import("/page/story.js");
  const story = newStory({ id: "a", began: 0 });
  facts.forEach((fact, place) => tell(story, { seq: place + 1, time: 0, ...fact }));
  steps.forEach((step) => advance(story, step));
  tell(story, { seq: 1, kind: "began", time: 99, body: {} });
  return estimate(story, now);
}"""
PLANNED = {"kind": "planned", "body": {
    "remembered": ["0"], "runs": {"1": "never run", "2": "text changed"}, "depends": ["3"],
    "expected": {"1": [1, 3], "2": [6, 6], "3": [0, 4]},
}}  # fmt: skip


@pytest.mark.parametrize(("facts", "steps", "now", "estimate"), [
    ([], [], 0, (0, None, 0, 0)),
    ([PLANNED], [], 0, (0, 10, 0, 3)),
    ([PLANNED, {"kind": "node_finished", "node": "1", "body": {"seconds": 1}}], [], 5, (0.2, 8, 1, 3)),
    ([PLANNED, {"kind": "node_started", "node": "2", "body": {}}], [["2", 3, 4]], 9, (0.45, 7, 0, 3)),
    ([PLANNED, {"kind": "node_started", "node": "2", "body": {}}], [], 2, (0, 8, 0, 3)),
    ([PLANNED, {"kind": "remembered", "node": "3", "body": {}}], [], 0, (0, 8, 0, 2)),
])  # fmt: skip
def test_progress_and_time_left_are_weighed_by_what_nodes_took(server, page, facts, steps, now, estimate):
    page.goto(server.url)
    told = [{"node": node, "value": value, "maximum": maximum} for node, value, maximum in steps]
    found = page.evaluate(ESTIMATE, [facts, told, now])
    names = ("fraction", "left", "done", "count")
    assert found == {
        name: value if value is None else pytest.approx(value) for name, value in zip(names, estimate, strict=True)
    }
