import hashlib
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageFile

from nodes.packs.names import node_helpers


def test_options_of_prompts_are_set_on_copies() -> None:
    before = [["tensor", {"strength": 1.0, "hooks": [1]}]]
    found = node_helpers.conditioning_set_values(before, {"strength": 0.5})
    assert found == [["tensor", {"strength": 0.5, "hooks": [1]}]] and before[0][1]["strength"] == 1.0  # type: ignore[index]
    assert node_helpers.conditioning_set_values(before, {"hooks": [2]}, append=True)[0][1]["hooks"] == [1, 2]
    assert node_helpers.conditioning_set_values(before) == before


def test_a_picture_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[:-60])
    with Image.open(tmp_path / "a.jpg") as picture, pytest.raises(OSError):
        picture.load()
    with Image.open(tmp_path / "a.jpg") as picture:
        node_helpers.pillow(lambda file: file.load(), picture)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_pictures_get_the_same_channels() -> None:
    rgb, rgba = torch.zeros(1, 2, 2, 3), torch.zeros(1, 2, 2, 4)
    below, above = node_helpers.image_alpha_fix(rgba, rgb)
    assert below is rgba and above.shape[-1] == 4 and above[..., 3].min() == 1
    below, above = node_helpers.image_alpha_fix(rgb, rgba)
    assert below is rgb and above.shape[-1] == 3


def test_small_facts() -> None:
    assert node_helpers.hasher() is hashlib.sha256
    assert node_helpers.string_to_torch_dtype("bf16") == torch.bfloat16
    assert node_helpers.string_to_torch_dtype("int8") is None
