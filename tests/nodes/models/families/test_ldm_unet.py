from typing import Any

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

from nodes.models.families import ldm_unet
from tests.nodes.models import tiny

SHAPES: list[dict[str, Any]] = [
    {},
    {"layers_per_block": 2},
    {
        "block_out_channels": (16, 16, 32),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (2, 1, 2),
        "in_channels": 9,
    },
    {
        "block_out_channels": (16,),
        "down_block_types": ("CrossAttnDownBlock2D",),
        "up_block_types": ("CrossAttnUpBlock2D",),
        "transformer_layers_per_block": (1,),
    },
    {"use_linear_projection": True, "attention_head_dim": (2, 4)},
]


@pytest.mark.parametrize("shape", SHAPES)
def test_names_and_config_go_both_ways(shape: dict[str, Any]) -> None:
    config = {**tiny.UNET, **shape}
    with torch.device("meta"):
        tensors = ldm_unet.build(config).state_dict()
    original = ldm_unet.original_names(tensors)
    assert len(original) == len(tensors)
    names = ldm_unet.diffusers_names(original)
    assert names == {new: old for old, new in original.items()}
    read = ldm_unet.config(
        {name: tuple(tensor.shape) for name, tensor in tensors.items()}, 4, config["attention_head_dim"]
    )
    expected = {**config, "transformer_layers_per_block": read["transformer_layers_per_block"]}
    assert read == expected
    with torch.device("meta"):
        again = ldm_unet.build(read).state_dict()
    assert {name: tensor.shape for name, tensor in again.items()} == {n: t.shape for n, t in tensors.items()}


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if "use_linear_projection" not in shape][:3])
def test_the_original_layout_is_the_one_diffusers_converts(shape: dict[str, Any]) -> None:
    config = {**tiny.UNET, **shape}
    tensors = ldm_unet.build(config).state_dict()
    prefix = "model.diffusion_model."
    original = {prefix + old: tensors[new] for old, new in ldm_unet.original_names(tensors).items()}
    converted = convert_ldm_unet_checkpoint(original, {**config, "class_embed_type": None, "addition_embed_type": None})
    assert {name: id(tensor) for name, tensor in converted.items()} == {n: id(t) for n, t in tensors.items()}


def test_names_that_do_not_belong_are_left_out() -> None:
    assert ldm_unet.diffusers_names(["input_blocks.0.0.weight", "x.y", "output_blocks.0.0.odd.weight"]) == {
        "conv_in.weight": "input_blocks.0.0.weight"
    }


def test_a_name_of_no_unet_has_no_original() -> None:
    with pytest.raises(KeyError):
        ldm_unet.original_names(["down_blocks.0.resnets.0.conv1.weight", "decoder.conv_in.weight"])
