import io
import json

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load, save

from engine.outputs import with_png_text, with_safetensors_text

TEXTS = {"prompt": {"1": {"class_type": "A", "inputs": {"text": "für"}}}, "workflow": {"nodes": []}}


def test_a_png_carries_the_workflow_and_the_same_pixels():
    buffer = io.BytesIO()
    Image.new("RGB", (3, 2), (1, 2, 3)).save(buffer, "PNG")
    picture = Image.open(io.BytesIO(with_png_text(buffer.getvalue(), TEXTS)))
    assert {name: json.loads(text) for name, text in picture.text.items()} == TEXTS
    assert picture.tobytes() == bytes([1, 2, 3] * 6)


@pytest.mark.parametrize("metadata", [None, {"kept": "yes"}])
def test_a_safetensors_file_carries_the_workflow_and_the_same_tensors(tmp_path, metadata):
    tensors = {"a": torch.arange(5, dtype=torch.float32), "empty": torch.tensor([])}
    data = with_safetensors_text(save(tensors, metadata), TEXTS)
    got = load(data)
    assert got.keys() == tensors.keys()
    assert all(torch.equal(got[name], tensors[name]) for name in tensors)
    (tmp_path / "x.latent").write_bytes(data)
    with safe_open(tmp_path / "x.latent", "pt") as file:
        written = file.metadata()
    assert {name: json.loads(written[name]) for name in TEXTS} == TEXTS
    assert written.keys() == {*TEXTS, *(metadata or {})}
    assert int.from_bytes(data[:8], "little") % 8 == 0
