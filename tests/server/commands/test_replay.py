import json
from pathlib import Path

from PIL import Image

from engine.outputs import with_png_text, without_png_text
from tests.acceptance.command import PORTRAIT
from tests.server.commands.test_run import PICTURE


def test_the_same_pixels(loomis, here):
    (here / "picture.json").write_text(json.dumps(PICTURE))
    path = loomis("run", "picture.json", "-q").out.strip()
    ran = loomis("replay", path)
    assert (ran.code, ran.out.partition(" (")[0], ran.err) == (0, "the same pixels", "")
    (found,) = loomis("replay", path, "--json").lines
    assert (found["same"], found["worst"], found["size"]) == (True, 0, [16, 8])


def test_other_pixels(loomis, here):
    (here / "picture.json").write_text(json.dumps(PICTURE))
    path = Path(loomis("run", "picture.json", "-q").out.strip())
    other = loomis("run", "picture.json", "-q", "--set", "1.color=254", "--out", "other").out.strip()
    with Image.open(other) as image:
        assert image.getpixel((0, 0)) == (0, 0, 254)
    path.write_bytes(with_png_text(without_png_text(Path(other).read_bytes()), {"prompt": PICTURE}))
    ran = loomis("replay", str(path))
    assert (ran.code, ran.out.partition(" (")[0]) == (
        1,
        "different: 25.0% of the values differ, by at most 1 grey level",
    )
    assert loomis("replay", str(path), "--within", "1").code == 0


def test_a_portrait_comes_out_the_same_with_the_memo_off(loomis, here):
    steps = ("--set", "Sampler.steps=2", "--set", '9.images=["6", 0]')
    path = loomis("run", str(PORTRAIT), "-q", "--device", "cpu", "--precision", "fp32", *steps).out.strip()
    (found,) = loomis("replay", path, "--json").lines
    assert (found["same"], found["worst"], found["changed"]) == (True, 0, [])
