from pathlib import Path

import pytest
import torch
from PIL import Image

from engine.errors import FileError, InputError
from nodes.pixels.image_set import batch, caption, pictures_below

RED, BLUE = (255, 0, 0), (0, 0, 255)


def picture(path: Path, colour: tuple[int, int, int] = RED, size: tuple[int, int] = (8, 8)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def test_pictures_of_folders_count_as_often_as_their_names_say(tmp_path: Path) -> None:
    for name in ("b.png", "a.PNG", "2_cat/d.png", "2_cat/c.png", "20240101_trip/e.png", "2_cat/deep/f.png"):
        picture(tmp_path / name)
    (tmp_path / "a.txt").write_text("a caption")
    names = [path.name for path in pictures_below(tmp_path, (".png",))]
    assert names == ["a.PNG", "b.png", "e.png", "c.png", "d.png", "c.png", "d.png"]


def test_what_is_hidden_is_no_picture_of_the_set(tmp_path: Path) -> None:
    for name in ("a.png", "._a.png", ".ipynb_checkpoints/a-checkpoint.png", "2_cat/.b.png"):
        picture(tmp_path / name)
    assert pictures_below(tmp_path, (".png",)) == [tmp_path / "a.png"]


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(FileError, match="no pictures") as caught:
        pictures_below(tmp_path, (".png",))
    assert caught.value.input == "folder" and ".png" in str(caught.value.expected)


def test_a_caption_is_the_text_beside(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf a cat \n")
    assert caption(tmp_path / "a.png") == "a cat" and caption(tmp_path / "b.png") is None


def test_pictures_of_one_size_are_left_as_they_are(tmp_path: Path) -> None:
    images = batch([picture(tmp_path / "a.png", RED), picture(tmp_path / "b.png", BLUE)], "None")
    assert images.shape == (2, 8, 8, 3) and images.is_contiguous()
    assert images[:, 0, 0].tolist() == [[1, 0, 0], [0, 0, 1]]


def test_pictures_of_two_sizes_need_a_method(tmp_path: Path) -> None:
    paths = [picture(tmp_path / "a.png"), picture(tmp_path / "b.png", size=(9, 8))]
    with pytest.raises(InputError, match="not of one size") as caught:
        batch(paths, "None")
    assert (caught.value.input, caught.value.got) == ("resize_method", "b.png has 9 x 8 pixels")


def test_methods_to_change_a_size(tmp_path: Path) -> None:
    """A picture with a blue left half, twice as wide as it is high."""
    wide = Image.new("RGB", (32, 16), RED)
    wide.paste(BLUE, (0, 0, 16, 16))
    wide.save(tmp_path / "a.png")
    paths = [tmp_path / "a.png", picture(tmp_path / "b.png", RED, (16, 16))]
    stretched, cropped, padded = (batch(paths, method, 16, 16) for method in ("Stretch", "Crop", "Pad"))
    assert stretched.shape == cropped.shape == padded.shape == (2, 16, 16, 3)
    for images in (stretched, cropped, padded):
        assert torch.equal(images[1], torch.tensor([1.0, 0, 0]).expand(16, 16, 3))
    for images in (stretched, cropped):
        assert images[0, 8, 2].tolist() == [0, 0, 1] and images[0, 8, 13].tolist() == [1, 0, 0]
        assert images[0, 0].sum() > 0
    assert padded[0, :4].sum() == padded[0, 12:].sum() == 0 and padded[0, 8, 2].tolist() == [0, 0, 1]
    narrow = batch(paths, "Crop", 4, 16)
    assert narrow[0, 8, 0].tolist() == [0, 0, 1] and narrow[0, 8, 3].tolist() == [1, 0, 0]


def test_a_side_that_is_not_given_is_that_of_the_first(tmp_path: Path) -> None:
    paths = [picture(tmp_path / "a.png", size=(12, 8)), picture(tmp_path / "b.png", size=(8, 20))]
    assert batch(paths, "Crop").shape == (2, 8, 12, 3)
    assert batch(paths, "Stretch", 4, -1).shape == (2, 8, 4, 3)
