import importlib
import os
from functools import partial
from pathlib import Path

import pytest
import spandrel
import torch
from safetensors.torch import save_file

from engine.errors import ModelError
from nodes.models.upscaler import build_upscaler, check
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


@pytest.mark.parametrize("size", [(16, 32), (33, 21), (9, 5)])
def test_pictures_of_any_size_are_those_of_the_descriptor(tmp_path: Path, size: tuple[int, int]) -> None:
    """DRCT takes multiples of 16 only: a picture, or the last of its tiles, has to be filled up."""
    drct = importlib.import_module("spandrel.architectures.DRCT.__arch.drct_arch").DRCT
    network = drct(upscale=2, img_size=32, window_size=16, depths=[6], embed_dim=24, num_heads=[2], gc=8,
                   upsampler="pixelshuffle")  # fmt: skip
    save_file({name: tensor.clone() for name, tensor in network.state_dict().items()}, tmp_path / "x")
    weights, picture = open_weights(tmp_path / "x"), torch.rand(1, 3, *size)
    found = build_upscaler(weights, torch.device("cpu"))(picture)
    assert torch.allclose(found, spandrel.ModelLoader().load_from_state_dict(weights.state_dict())(picture), atol=1e-6)
    assert found.shape == (1, 3, 2 * size[0], 2 * size[1]) and not found.is_inference()


def test_other_weights_are_no_upscaler(models: Path) -> None:
    for refuse in (check, partial(build_upscaler, device=torch.device("cpu"))):
        with pytest.raises(ModelError, match="not an upscaler that is known") as raised:
            refuse(open_weights(models / "loras" / "lora"))
        assert raised.value.got == "looks like a LoRA"


def test_half_an_upscaler_is_none(tmp_path: Path) -> None:
    tensors = open_weights(compact(tmp_path)).state_dict()
    save_file({name: tensor for name, tensor in tensors.items() if name != "body.4.bias"}, tmp_path / "half")
    with pytest.raises(ModelError, match="not an upscaler that is known") as raised:
        build_upscaler(open_weights(tmp_path / "half"), torch.device("cpu"))
    assert "SRVGGNetCompact" in str(raised.value.got)


def test_one_of_grey_pictures_is_refused(tmp_path: Path) -> None:
    tensors = open_weights(compact(tmp_path)).state_dict()
    grey = {**tensors, "body.0.weight": torch.ones(8, 1, 3, 3), "body.6.weight": torch.ones(4, 8, 3, 3)}
    save_file({**grey, "body.6.bias": torch.zeros(4)}, tmp_path / "grey")
    with pytest.raises(ModelError, match="does not turn a picture into a picture") as raised:
        build_upscaler(open_weights(tmp_path / "grey"), torch.device("cpu"))
    assert raised.value.got == "RealESRGAN Compact with 1 channels"


@pytest.mark.reference
def test_the_embedded_upscaler() -> None:
    path = REFERENCE / "embedded" / "realesr-animevideov3_x4.safetensors"
    if not path.exists():
        pytest.skip(f"no {path}")
    assert build_upscaler(open_weights(path), torch.device("cpu")).scale == 4
