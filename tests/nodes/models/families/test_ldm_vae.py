from typing import Any

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

from nodes.models.families import ldm_vae, sd1
from tests.nodes.models import tiny

SHAPES: list[dict[str, Any]] = [
    {},
    {"latent_channels": 8, "layers_per_block": 2},
    {
        "block_out_channels": (8, 8, 16, 16),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
    },
]


@pytest.mark.parametrize("shape", SHAPES)
def test_names_and_config_go_both_ways(shape: dict[str, Any]) -> None:
    config = {**tiny.VAE, **shape}
    tensors = ldm_vae.build(config).state_dict()
    original = ldm_vae.original_names(tensors)
    assert ldm_vae.diffusers_names(original) == {new: old for old, new in original.items()}
    assert ldm_vae.config({name: tuple(tensor.shape) for name, tensor in tensors.items()}, 4) == config


@pytest.mark.parametrize("shape", SHAPES)
def test_the_original_layout_is_the_one_diffusers_converts(shape: dict[str, Any]) -> None:
    config = {**tiny.VAE, **shape}
    unet, _, text = tiny.modules()
    vae = ldm_vae.build(config)
    original = sd1.original_layout(unet.state_dict(), vae.state_dict(), text.state_dict())
    converted = convert_ldm_vae_checkpoint(original, config)
    tensors = vae.state_dict()
    assert converted.keys() == tensors.keys()
    assert all(torch.equal(converted[name].reshape(tensor.shape), tensor) for name, tensor in tensors.items())


def test_the_attention_is_pointwise_convolutions_in_the_original() -> None:
    assert ldm_vae.is_pointwise("encoder.mid.attn_1.q.weight")
    assert not ldm_vae.is_pointwise("encoder.mid.attn_1.q.bias")
    assert not ldm_vae.is_pointwise("encoder.mid.attn_1.norm.weight")
