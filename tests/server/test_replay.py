"""A picture is made again from what it carries, with nothing remembered."""

from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from engine.errors import WorkflowError
from engine.events import NodeFinished, Remembered
from engine.outputs import with_png_text, without_png_text
from server.opening import open_engine
from server.replay import recorded_settings, replay
from server.settings import Options
from tests.server.commands.test_run import PICTURE


@pytest.fixture
def options(here):
    return Options(
        models=(here / "models",), input=here / "input", out=here / "output", data=here / "data", device="cpu"
    )


def made(options, graph=PICTURE):
    with open_engine(options) as engine:
        return Path(engine.run(graph).outputs["2"].files[0]["path"])


def test_every_node_runs_and_the_pixels_are_the_same(options, here):
    path = made(options)
    events = []
    found = replay(path, options, events.append)
    assert (found.worst, found.share, found.changed, found.size) == (0, 0, (), (16, 8))
    assert {event.node for event in events if isinstance(event, NodeFinished)} == {"1", "2"}
    assert not [event for event in events if isinstance(event, Remembered)]
    assert [file.name for file in (here / "output").iterdir()] == [path.name]


def test_a_picture_that_was_changed_differs(options):
    path = made(options)
    with Image.open(path) as image:
        text = PngInfo()
        for name, value in image.text.items():
            text.add_text(name, value)
        image.putpixel((3, 3), (0, 9, 250))
        image.save(path, pnginfo=text)
    found = replay(path, options)
    assert (found.worst, found.within(8), found.within(9)) == (9, False, True)
    assert found.share == pytest.approx(2 / (16 * 8 * 4))


def test_of_several_pictures_the_one_that_is_meant_is_compared(options):
    graph = {
        **PICTURE,
        "3": {"class_type": "EmptyImage", "inputs": {"width": 16, "height": 8, "batch_size": 2, "color": 7}},
        "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "dark"}},
    }
    with open_engine(options) as engine:
        files = engine.run(graph).outputs["4"].files
    events = []
    assert replay(Path(files[1]["path"]), options, events.append).worst == 0
    assert {event.node for event in events if isinstance(event, NodeFinished)} == {"3", "4"}


def test_a_picture_of_another_program_needs_only_its_workflow(options, here):
    made(options)
    plain = with_png_text(without_png_text(made(options).read_bytes()), {"prompt": PICTURE})
    (here / "theirs.png").write_bytes(plain)
    assert replay(here / "theirs.png", options).worst == 0


def test_another_size_is_never_the_same(options, here):
    path = made(options)
    with Image.open(path) as image:
        larger = image.resize((32, 8))
        text = PngInfo()
        text.add_text("prompt", image.text["prompt"])
        larger.save(here / "larger.png", pnginfo=text)
    found = replay(here / "larger.png", options)
    assert (found.worst, found.size, found.made_size, found.within(255)) == (None, (32, 8), (16, 8), False)


def test_what_makes_no_picture_can_not_be_compared(options, here):
    graph = {"1": {"class_type": "PreviewAny", "inputs": {"source": "a"}}}
    (here / "odd.png").write_bytes(with_png_text(made(options).read_bytes(), {"prompt": graph}))
    with pytest.raises(WorkflowError, match="makes no picture"):
        replay(here / "odd.png", options)


def test_what_is_not_as_it_was_is_told(options, here):
    (here / "input").mkdir()
    picture = {"1": {"class_type": "LoadImage", "inputs": {"image": "in.png"}}, "2": PICTURE["2"]}
    Image.new("RGB", (8, 8), (9, 9, 9)).save(here / "input" / "in.png")
    path = made(options, picture)
    Image.new("RGB", (8, 8), (9, 9, 10)).save(here / "input" / "in.png")
    found = replay(path, options)
    assert (found.worst, found.changed) == (1, ("input/in.png has another content",))


@pytest.mark.parametrize(
    ("recorded", "used"),
    [
        ({"precision": "fp32", "ancestral_noise": "same-seed"}, ("cpu", "fp32", "same-seed")),
        ({"precision": "fp7"}, ("cpu", "auto", "next-seed")),
        ({"device": "cuda:7", "precision": "bf16"}, ("cpu", "bf16", "next-seed")),
    ],
)
def test_settings_are_those_of_the_picture_where_they_work(recorded, used, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = recorded_settings(Options(), {"settings": recorded})
    assert (found.device, found.precision, found.ancestral_noise) == used


def test_what_is_given_goes_before_the_picture():
    assert recorded_settings(Options(precision="fp32"), {"settings": {"precision": "bf16"}}).precision == "fp32"
