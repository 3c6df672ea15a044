import io

import pytest
import torch
from PIL import Image

import nodes
from engine import Engine, Folders
from engine.events import Progress
from nodes.models.families.checkpoint import LatentFormat
from nodes.models.preview import PAUSE, SHARE, Previews, coloured, preview

FORM = LatentFormat(4, 8, 1.0, ((1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0)))


def test_colours_are_a_linear_map_of_channels() -> None:
    latent = torch.zeros(2, 4, 8, 16)
    latent[0, 0], latent[0, 1], latent[0, 2] = 1.0, 0.0, -1.0
    picture = Image.open(io.BytesIO(preview(coloured(latent, FORM))))
    assert picture.size == (256, 128)
    assert picture.getpixel((100, 50)) == pytest.approx((255, 127, 0), abs=4)


class Clock:
    """Goes on by ``cost`` whenever a preview is made: it is asked before and after."""

    def __init__(self) -> None:
        self.now, self.cost = 0.0, 0.0

    def __call__(self) -> float:
        self.now += self.cost
        return self.now


@pytest.mark.parametrize("step", [0.001, 0.05, 2.0])
@pytest.mark.parametrize("cost", [0.0001, 0.004, 0.5])
def test_previews_take_a_small_share_of_the_time(step: float, cost: float) -> None:
    clock, taken, made = Clock(), 0.0, 0
    previews = Previews(FORM, clock)
    while clock.now < 100:
        clock.now += step
        if make := previews.of(torch.zeros(1, 4, 8, 8)):
            before, clock.cost = clock.now, cost
            make()
            clock.cost = 0.0
            taken, made = taken + cost, made + 1
            assert clock.now - before == pytest.approx(2 * cost)
    assert 1 < made <= 100 / PAUSE + 1
    assert taken <= SHARE * clock.now + cost


def test_what_a_gpu_takes_for_the_step_is_no_cost_of_the_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, made, copied = Clock(), 0, torch.Tensor.cpu

    def cpu(tensor: torch.Tensor) -> torch.Tensor:
        clock.now += 1.0
        return copied(tensor)

    monkeypatch.setattr(torch.Tensor, "cpu", cpu)
    previews = Previews(FORM, clock)
    for _ in range(20):
        clock.now += 0.01
        if make := previews.of(torch.zeros(1, 4, 8, 8)):
            before, clock.cost = clock.now, 0.004
            make()
            assert clock.now - before == pytest.approx(1.008)
            clock.cost, made = 0.0, made + 1
        else:
            clock.now += 1.0
    assert made > 8


def test_all_who_look_get_the_same_bytes_and_nobody_who_does_not_pays() -> None:
    clock = Clock()
    previews = Previews(FORM, clock)
    make = previews.of(torch.zeros(1, 4, 8, 8))
    assert make is not None and previews.of(torch.zeros(1, 4, 8, 8)) is not None
    assert make() is make()
    assert previews.of(torch.zeros(1, 4, 8, 8)) is None


def test_progress_carries_a_picture() -> None:
    """What a listener of a run gets, with the model that ships."""
    folders = Folders(models=(nodes.EMBEDDED,))
    link = {"model": ["1", 0], "positive": ["2", 0], "negative": ["2", 0], "latent_image": ["3", 0]}
    workflow = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "tiny-portrait.safetensors"}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "a man"}},
        "3": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "4": {"class_type": "KSampler", "inputs": {"steps": 2, "cfg": 1.0, "seed": 1, "denoise": 1.0, **link}},
    }
    workflow["4"]["inputs"] |= {"sampler_name": "euler", "scheduler": "normal"}
    pictures = []

    def listen(event: object) -> None:
        if isinstance(event, Progress) and event.preview:
            pictures.append(event.preview())

    with Engine(nodes.vocabulary(), folders=folders) as engine:
        engine.run(workflow, values=["4"], on_event=listen)
    assert pictures
    assert Image.open(io.BytesIO(pictures[0])).format == "JPEG"
