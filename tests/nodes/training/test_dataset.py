import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.errors import FileError
from nodes.training.dataset import CAPTIONS, COLOURS, Dataset, View, on_background, open_dataset
from tests.nodes.training.tiny import SIZE, write_pictures


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def dataset(folder: Path) -> Dataset:
    return open_dataset(folder, SIZE)


def test_captions_are_lines_of_text_files(dataset: Dataset) -> None:
    assert dataset.captions == tuple((f"disc {n}", f"round thing {n}") for n in range(3))
    assert dataset.weights == (1, 1, 1)
    assert dataset.pixels.shape == (3, 4, SIZE, SIZE)


def test_captions_are_lines_of_json(folder: Path, tmp_path: Path) -> None:
    for name in ("0.png", "2.png"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    lines = [{"file": "2.png", "captions": ["two", "zwei"], "weight": 3}, {"file": "0.png", "caption": "nought"}]
    (tmp_path / CAPTIONS).write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")
    dataset = open_dataset(tmp_path, SIZE)
    assert dataset.captions == (("two", "zwei"), ("nought",))
    assert dataset.weights == (3, 1)
    first = sum(dataset.views[drawn.view].picture == 0 for drawn in dataset.draw(0, 0, 4000))
    assert 2900 < first < 3100


@given(st.integers(0, 2**31), st.integers(0, 2**31))
def test_seed_and_step_decide_what_is_drawn(dataset: Dataset, seed: int, step: int) -> None:
    drawn = dataset.draw(seed, step, 8)
    assert drawn == dataset.draw(seed, step, 8)
    assert drawn != dataset.draw(seed, step + 1, 8)
    assert drawn != dataset.draw(seed + 1, step, 8)


def test_the_caption_names_the_colour_behind_the_picture(dataset: Dataset) -> None:
    drawn = dataset.draw(0, 0, 64)
    pictures = dataset.pictures([one.view for one in drawn], [one.mirrored for one in drawn])
    for one, picture in zip(drawn, pictures, strict=True):
        colour = dataset.views[one.view].colour
        assert colour is not None
        corner = ((picture[:, 0, 0] + 1) * 127.5).round().int().tolist()
        assert tuple(corner) == COLOURS[colour]
        assert colour in one.caption
        assert one.caption.startswith(("disc", "round thing"))
    assert {one.mirrored for one in drawn} == {True, False}
    assert len({dataset.views[one.view].colour for one in drawn}) == len(COLOURS)


def test_a_whole_picture_has_no_background(tmp_path: Path) -> None:
    Image.new("RGB", (40, 20), (255, 0, 0)).save(tmp_path / "red.webp", lossless=True)
    (tmp_path / "red.txt").write_text("all red")
    dataset = open_dataset(tmp_path, SIZE)
    assert dataset.views == (View(0, None),)
    (drawn,) = dataset.draw(0, 0, 1)
    assert drawn.caption == "all red"
    assert torch.equal(dataset.pictures([0]), torch.tensor([1.0, -1, -1])[None, :, None, None].expand(1, 3, SIZE, SIZE))


def test_mirrored_is_mirrored(dataset: Dataset) -> None:
    plain, mirrored = dataset.pictures([0, 0], [False, True])
    assert torch.equal(plain.flip(-1), mirrored)


def test_the_middle_is_cut_out(tmp_path: Path) -> None:
    image = Image.new("RGB", (48, 16), (0, 0, 255))
    image.paste((0, 255, 0), (16, 0, 32, 16))
    image.save(tmp_path / "wide.png")
    (tmp_path / "wide.txt").write_text("wide")
    assert set(open_dataset(tmp_path, SIZE).pixels[0].flatten(1).T.unique(dim=0)[0].tolist()) == {0, 255}
    assert torch.equal(open_dataset(tmp_path, SIZE).pixels[0, 1], torch.full((SIZE, SIZE), 255, dtype=torch.uint8))


def test_articles() -> None:
    assert on_background("a cat.", "orange", "{caption} on {article} {colour} background") == (
        "a cat on an orange background"
    )
    assert on_background("a cat", "teal") == "a cat, teal background"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "There are no pictures"),
        ({"a.png": b"not a picture", "a.txt": b"a"}, "a.png is not a picture"),
        ({"a.png": b"x"}, "a.png has no caption"),
        ({"a.png": b"x", "a.txt": b"\n \n"}, "a.png has no caption"),
        ({CAPTIONS: b'{"file": "../a.png", "caption": "a"}'}, "outside its folder"),
        ({CAPTIONS: b'{"file": "a.png", "caption": "a"}'}, "a.png is not a picture"),
        ({CAPTIONS: b'{"file": "a.png"}'}, "Line 1"),
        ({CAPTIONS: b'{"file": "a.png", "captions": []}'}, "Line 1"),
        ({CAPTIONS: b"nonsense"}, "Line 1"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, files: dict[str, bytes], said: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=said):
        open_dataset(tmp_path, SIZE)
