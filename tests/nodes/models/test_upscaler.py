import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import ModelError
from nodes.models.upscaler import build_upscaler
from nodes.models.weights import open_weights

REFERENCE = Path(os.environ.get("LOOMIS_REFERENCE", Path(__file__).parents[4] / "shared"))


def compact(folder: Path) -> Path:
    """A network of Real-ESRGAN's compact kind: two convolutions between the first and the last."""
    chance = torch.Generator().manual_seed(0)
    shapes = {0: (8, 3), 2: (8, 8), 4: (8, 8), 6: (12, 8)}
    tensors = {f"body.{i}.weight": torch.randn(*shape, 3, 3, generator=chance) * 0.1 for i, shape in shapes.items()}
    tensors |= {f"body.{i}.bias": torch.zeros(shape[0]) for i, shape in shapes.items()}
    tensors |= {f"body.{i}.weight": torch.full((8,), 0.2) for i in (1, 3, 5)}
    save_file(tensors, folder / "compact")
    return folder / "compact"


def test_an_upscaler_enlarges_by_its_scale(tmp_path: Path) -> None:
    upscaler = build_upscaler(open_weights(compact(tmp_path)), torch.device("cpu"))
    assert upscaler.scale == 2
    assert upscaler(torch.rand(2, 3, 5, 7)).shape == (2, 3, 10, 14)


def test_weights_in_fp16_compute_in_float32(tmp_path: Path) -> None:
    tensors = open_weights(compact(tmp_path)).state_dict()
    save_file({name: tensor.half() for name, tensor in tensors.items()}, tmp_path / "half")
    upscaler = build_upscaler(open_weights(tmp_path / "half"), torch.device("cpu"))
    assert upscaler(torch.rand(1, 3, 4, 4)).dtype == torch.float32
    assert {parameter.dtype for parameter in upscaler.module.parameters()} == {torch.float32}


def test_other_weights_are_no_upscaler(models: Path) -> None:
    with pytest.raises(ModelError, match="not an upscaler that is known"):
        build_upscaler(open_weights(models / "loras" / "lora"), torch.device("cpu"))


@pytest.mark.reference
def test_the_embedded_upscaler() -> None:
    path = REFERENCE / "embedded" / "realesr-animevideov3_x4.safetensors"
    if not path.exists():
        pytest.skip(f"no {path}")
    assert build_upscaler(open_weights(path), torch.device("cpu")).scale == 4
