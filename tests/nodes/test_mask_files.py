from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from engine.folders import Folders
from nodes.mask_files import load_image_mask, mask_preview
from tests.nodes.calls import context


@pytest.mark.parametrize(("channel", "expected"), [
    ("alpha", [[0, 0.8]]), ("red", [[1, 0]]), ("green", [[0, 0.4]]), ("blue", [[0.2, 1]]),
])  # fmt: skip
def test_a_channel_is_a_mask(tmp_path, channel, expected):
    pixels = np.array([[[255, 0, 51, 255], [0, 102, 255, 51]]], dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    mask = load_image_mask(context(Folders(input=tmp_path)), "a.png", channel)
    torch.testing.assert_close(mask, torch.tensor([expected], dtype=torch.float32))


def test_a_preview_is_grey_and_temporary():
    (file,) = mask_preview(torch.tensor([[0.0, 0.5]])).files
    assert file.folder == "temp"
    assert np.asarray(Image.open(BytesIO(file.data)))[0, :, 0].tolist() == [0, 127]
