"""``python -m tests.server.page.screenshot`` makes the pictures of the page and the editor that the README shows.

It starts the real server in a folder of its own, has it make portraits, and looks while the last one is sampled.
``python -m tests.server.page.screenshot editor`` makes those of the editor only.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

LONGEST = 1_200_000
"""Milliseconds that a busy machine may take for the portraits."""

HALF = """() => {
  const done = document.querySelector("#now progress")?.value;
  return document.querySelector("#now .doing")?.textContent === "Sampler" && done > 0.4 && done < 0.85;
}"""

HALF_OF_NODE = """(id) => {
  const progress = document.querySelector(`#node-${id} progress`);
  return document.querySelector(`#node-${id} figcaption`).textContent === "preview" && progress.value > 6;
}"""

ROOT = Path(__file__).parents[3]
PROMPTS = (
    "portrait of a woman with red hair, blue background",
    "an astronaut with dark skin, yellow background",
    "an old man with gray hair, green background",
    "portrait of a woman with curly hair and dark skin, teal background",
    "a man with blond hair, pink background",
    "an astronaut with light skin, orange background",
    "portrait of a man with a beard, purple background",
)


def submit(address: str, prompt: str, seed: int) -> None:
    workflow = json.loads((ROOT / "workflows" / "portrait.json").read_text())
    parameters = {"Positive.text": prompt, "KSampler.seed": seed, "KSampler.steps": 20}
    body = {"workflow": workflow, "parameters": parameters, "labels": [prompt.partition(",")[0]]}
    urllib.request.urlopen(f"{address}/api/v1/jobs", json.dumps(body).encode()).read()


def look(page: Page, address: str, scheme: str, pictures: int, file: Path) -> None:
    """Wait until the page has a history and a preview of what a sampler works on, and take its picture."""
    page.emulate_media(color_scheme=scheme)
    page.goto(address)
    page.locator("#history .shot img").nth(pictures - 1).wait_for(timeout=LONGEST)
    page.locator("#now .preview img:visible").wait_for(timeout=LONGEST)
    page.wait_for_function(HALF, timeout=LONGEST)
    page.screenshot(path=file)


def two_samplers() -> bytes:
    """Return a workflow that makes two portraits of one prompt: that of the portrait, without what enlarges it."""
    nodes = json.loads((ROOT / "workflows" / "portrait.json").read_text())
    kept = {id: nodes[id] for id in "1234569"}
    kept["9"]["inputs"]["images"] = ["6", 0]
    other = {**nodes["5"], "inputs": {**nodes["5"]["inputs"], "seed": 12}, "_meta": {"title": "Another seed"}}
    decoded = {**nodes["6"], "inputs": {"samples": ["7", 0], "vae": ["1", 2]}}
    saved = {**nodes["9"], "inputs": {"images": ["8", 0], "filename_prefix": "portrait"}}
    return json.dumps({**kept, "7": other, "8": decoded, "10": saved}).encode()


def look_at_editor(page: Page, address: str, scheme: str, seed: int, file: Path) -> None:
    """Run to one portrait, then take the picture while the other is sampled."""
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{address}/editor")
    page.locator("#node-7").wait_for(timeout=LONGEST)
    workflow = {"name": "portraits.json", "mimeType": "application/json", "buffer": two_samplers()}
    page.locator("#file").set_input_files(workflow)
    page.locator("#node-9").get_by_label("Run to this node").click()
    page.locator("#node-9.remembered img").wait_for(timeout=LONGEST)
    page.get_by_label("seed of 7", exact=True).fill(str(seed))
    page.locator("#node-10").get_by_label("Run to this node").click()
    page.wait_for_function(HALF_OF_NODE, arg="7", timeout=LONGEST)
    page.locator("#fit").click()
    page.mouse.move(5, 700)
    page.screenshot(path=file)


def look_at_page(page: Page, address: str) -> None:
    """Have portraits made, and take the pictures of the page."""
    images = ROOT / "docs" / "images"
    for seed, prompt in enumerate(PROMPTS):
        submit(address, prompt, seed + 1)
    look(page, address, "light", 4, images / "page.png")
    for seed, prompt in enumerate(PROMPTS[:3]):
        submit(address, prompt, seed + 20)
    look(page, address, "dark", 5, images / "page-dark.png")


def main() -> None:
    images = ROOT / "docs" / "images"
    folder = Path(tempfile.mkdtemp())
    line = [sys.executable, "-m", "server", "serve", "--port", "0", "--data", str(folder / "data")]
    with subprocess.Popen(
        [*line, "--out", str(folder / "out"), "--log", "human"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as server:
        try:
            assert server.stdout
            address = server.stdout.readline().removeprefix("Serving at ").strip()
            with sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
                page = browser.new_page(
                    viewport={"width": 1280, "height": 840}, device_scale_factor=1.5, bypass_csp=True
                )
                if sys.argv[1:] != ["editor"]:
                    look_at_page(page, address)
                look_at_editor(page, address, "light", 12, images / "editor.png")
                look_at_editor(page, address, "dark", 13, images / "editor-dark.png")
                browser.close()
        finally:
            server.terminate()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
