from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from engine.formats.read import read
from engine.outputs import SPLICERS
from nodes.image_animation import save_animated_png, save_animated_webp

FRAMES = torch.linspace(0, 1, 3).view(3, 1, 1, 1).repeat(1, 6, 5, 3)


def saved(kind, frames=FRAMES, **options):
    if kind == "webp":
        shown = save_animated_webp(frames, "a/b", 8.0, method="fastest", **options)
    else:
        shown = save_animated_png(frames, "a/b", 8.0, **options)
    (file,) = shown.files
    assert (file.suffix, file.prefix, file.width, file.height) == (f".{kind}", "a/b", 5, 6)
    assert shown.notes == {"animated": [True]}
    return file


@pytest.mark.parametrize("kind", ["webp", "png"])
@pytest.mark.parametrize("count", [1, 3])
def test_frames_come_back(kind, count):
    with Image.open(BytesIO(saved(kind, FRAMES[:count]).data)) as picture:
        assert getattr(picture, "n_frames", 1) == count
        levels = []
        for place in range(count):
            picture.seek(place)
            levels.append(int(np.asarray(picture.convert("RGB"))[0, 0, 0]))
        assert levels == [0, 127, 255][:count]
        assert count == 1 or picture.info["duration"] == 125


def test_quality_makes_a_webp_smaller():
    frames = torch.rand(2, 64, 64, 3, generator=torch.Generator().manual_seed(0))
    small, large = (saved_webp(frames, quality) for quality in (5, 95))
    assert len(small) < len(large) < len(saved_webp(frames, 80, lossless=True))


def saved_webp(frames, quality, lossless=False):
    shown = save_animated_webp(frames, "a", 8.0, lossless, quality, method="default")
    return shown.files[0].data


@pytest.mark.parametrize("kind", ["webp", "png"])
@pytest.mark.parametrize("count", [1, 3])
def test_the_workflow_inside_is_read_again(kind, count, tmp_path):
    file = saved(kind, FRAMES[:count])
    prompt = {"1": {"class_type": "EmptyImage", "inputs": {"width": 3}}}
    data = SPLICERS[file.suffix](file.data, {"prompt": prompt, "workflow": {"nodes": [], "links": []}})
    path = tmp_path / f"a.{kind}"
    path.write_bytes(data)
    assert read(path).api == prompt
    with Image.open(path) as picture:
        picture.load()
        assert getattr(picture, "n_frames", 1) == count
