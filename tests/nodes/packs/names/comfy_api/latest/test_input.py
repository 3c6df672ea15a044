import pytest
import torch

from engine.errors import NodeFailure
from nodes.packs.names.comfy_api.latest import Input


def test_values_have_names_for_type_hints() -> None:
    sound: Input.AudioInput = {"waveform": torch.zeros(1, 2, 8), "sample_rate": 44100}
    assert sound["sample_rate"] == 44100 and Input.ImageInput is torch.Tensor
    with pytest.raises(NodeFailure, match=r"comfy_api\.input\.VideoInput"):
        Input.VideoInput()
