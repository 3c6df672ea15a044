"""Tiny models of SDXL's kind: its depths, its joints and its two text encoders at small widths."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from nodes.models.families import clip_text, ldm_unet, ldm_vae, sdxl
from tests.nodes.models import tiny

L: Mapping[str, Any] = tiny.TEXT
G: Mapping[str, Any] = {**tiny.TEXT, "num_attention_heads": 1, "hidden_act": "gelu", "projection_dim": 32}
L_READ: Mapping[str, Any] = {**L, "num_attention_heads": 1}
VAE: Mapping[str, Any] = {**tiny.VAE, "block_out_channels": (32, 32), "norm_num_groups": 32}


def unet_config(
    depths: Sequence[int], context: int = 64, sizes: int = 6, blocks: int = 2, **more: Any
) -> dict[str, Any]:
    """A UNet whose levels have ``depths`` transformer blocks; the pooled vector is 32 wide."""
    down = tuple("CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in depths)
    middle = depths[-1] or max(depths)
    return {
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (32,) * len(depths),
        "layers_per_block": blocks,
        "down_block_types": down,
        "up_block_types": tuple(kind.replace("Down", "Up") for kind in reversed(down)),
        "transformer_layers_per_block": tuple(depth or middle for depth in depths),
        "cross_attention_dim": context,
        "attention_head_dim": (1,) * len(depths),
        "norm_num_groups": 32,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 32 + 256 * sizes,
        **more,
    }


UNET = unet_config((0, 1, 2))
REFINER = unet_config((0, 4, 4, 0), context=32, sizes=5)


def unet(config: Mapping[str, Any] = UNET) -> nn.Module:
    return tiny.filled(ldm_unet.build(config), 1)


def modules(config: Mapping[str, Any] = UNET, *, is_refiner: bool = False) -> dict[str, nn.Module]:
    """The modules of a checkpoint by what they are: unet, vae, l, g."""
    made = {"unet": unet(config), "vae": tiny.filled(ldm_vae.build(VAE), 2), "g": tiny.filled(clip_text.build(G), 4)}
    return made if is_refiner else {**made, "l": tiny.filled(clip_text.build(L_READ), 3)}


def tensors(made: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    states = {name: module.state_dict() for name, module in made.items()}
    text = {name: states[name] for name in ("l", "g") if name in states}
    return sdxl.original_layout(states["unet"], states["vae"], text)
