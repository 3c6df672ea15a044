from pathlib import Path

import pytest
import torch

from engine.errors import ModelError
from nodes.models.assemble import assemble
from nodes.models.families import controlnet, detect
from nodes.models.weights import Weights, open_weights
from tests.nodes.models import tiny

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    return tiny.control()


def opened(folder: Path, content: dict[str, torch.Tensor]) -> Weights:
    return open_weights(tiny.write(folder / "net", content))


@pytest.mark.parametrize("prefix", ["control_model.", "module.control_model.", "", None])
def test_every_tensor_has_its_place_in_either_layout(
    tmp_path: Path, tensors: dict[str, torch.Tensor], prefix: str | None
) -> None:
    weights = opened(tmp_path, tensors if prefix is None else tiny.original_control(tensors, prefix))
    network = controlnet.detect(weights)
    assert set(network.keys.values()) == set(weights.infos)
    assert dict(network.config) == tiny.CONTROL
    assert controlnet.factor(network) == 2
    built = assemble(network, weights, CPU, (torch.float32,)).state_dict()
    assert built.keys() == tensors.keys()
    assert all(torch.equal(built[name], tensors[name]) for name in tensors)


def test_a_controlnet_for_a_unet_that_takes_sizes(tmp_path: Path) -> None:
    config = {
        **tiny.CONTROL,
        "use_linear_projection": True,
        "block_out_channels": (64, 128),
        "attention_head_dim": (1, 2),
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 6 * 256 + 8,
    }
    weights = opened(tmp_path, tiny.original_control(tiny.control(config)))
    assert dict(controlnet.detect(weights).config) == config


def test_differences_are_added_to_the_unet(models: Path, tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    weights = opened(tmp_path, tiny.original_control(tensors) | {"difference": torch.zeros(1)})
    base = open_weights(models / "checkpoints" / "tiny")
    unet = detect(base).unet
    assert unet
    network = controlnet.detect(weights)
    whole = controlnet.summed(weights, network, base, unet)
    for name, key in network.keys.items():
        own = tensors[name]
        added = base.tensor(unet.keys[name]) if name in unet.keys else 0
        assert torch.equal(whole.tensor(key), own + added), name
    assert "conv_in.weight" in unet.keys


def test_another_file_is_not_a_controlnet(models: Path) -> None:
    with pytest.raises(ModelError, match="tiny is not a ControlNet that is known") as raised:
        controlnet.detect(open_weights(models / "checkpoints" / "tiny"))
    assert raised.value.got == "looks like a Stable Diffusion 1 checkpoint"


def test_a_small_one_does_not_look_at_the_text(tmp_path: Path) -> None:
    config = {
        **tiny.CONTROL,
        "down_block_types": ("DownBlock2D", "DownBlock2D"),
        "mid_block_type": "UNetMidBlock2D",
        "cross_attention_dim": None,
        "attention_head_dim": 2,
    }
    weights = opened(tmp_path, tiny.control(config))
    network = controlnet.detect(weights)
    assert network.config["cross_attention_dim"] is None and set(network.keys.values()) == set(weights.infos)
    built = assemble(network, weights, CPU, (torch.float32,))
    skips, middle = built(
        torch.ones(1, 4, 8, 8), torch.tensor(9), torch.ones(1, 7, 32), torch.ones(1, 3, 16, 16), return_dict=False
    )
    assert middle.shape == (1, 32, 4, 4) and len(skips) == 4


@pytest.mark.parametrize("lost", ["down_blocks.0.resnets.0.", "mid_block.", "controlnet_mid_block."])
def test_half_a_controlnet_is_an_error(tmp_path: Path, tensors: dict[str, torch.Tensor], lost: str) -> None:
    content = {name: tensor for name, tensor in tensors.items() if not name.startswith(lost)}
    with pytest.raises(ModelError, match="do not make up a ControlNet"):
        controlnet.detect(opened(tmp_path, content))
