"""Tiny models of Stable Diffusion 2's kind, also of those that follow pictures."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from nodes.models.families import clip_text, components, ldm_unet, ldm_vae, open_clip
from tests.nodes.models import tiny, tiny_xl

UNET: Mapping[str, Any] = {
    **tiny.UNET, "block_out_channels": (32, 32), "attention_head_dim": (1, 1), "norm_num_groups": 32,
    "use_linear_projection": True,
}  # fmt: skip
LABELLED: Mapping[str, Any] = {**UNET, "class_embed_type": "projection", "projection_class_embeddings_input_dim": 48}
H: Mapping[str, Any] = {**tiny.TEXT, "num_attention_heads": 1, "hidden_act": "gelu"}


def tensors(config: Mapping[str, Any] = UNET) -> dict[str, Tensor]:
    """A checkpoint in the original layout."""
    unet = tiny.filled(ldm_unet.build(config), 1).state_dict()
    unet = {name.replace("class_embedding.", "add_embedding."): tensor for name, tensor in unet.items()}
    text = tiny.filled(clip_text.build(H), 3).state_dict()
    found = components.unet_layout(unet) | components.vae_layout(
        tiny.filled(ldm_vae.build(tiny_xl.VAE), 2).state_dict()
    )
    return found | {f"cond_stage_model.model.{name}": tensor for name, tensor in open_clip.original(text).items()}


def unclip() -> dict[str, Tensor]:
    """A checkpoint that follows pictures, whose embeddings are 24 wide, without the encoder for them."""
    more = {"noise_augmentor.data_mean": torch.full((1, 24), 0.5), "noise_augmentor.data_std": torch.full((1, 24), 2.0)}
    return tensors(LABELLED) | more
