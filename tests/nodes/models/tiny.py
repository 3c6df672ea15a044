"""Tiny models of the real classes, with random weights, written in the original layout."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from nodes.models.families import clip_text, controlnet, controlnet_union, ldm_unet, ldm_vae, sd1

UNET: Mapping[str, Any] = {
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (16, 32),
    "layers_per_block": 1,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "transformer_layers_per_block": (1, 1),
    "cross_attention_dim": 32,
    "attention_head_dim": 2,
    "norm_num_groups": 4,
    "use_linear_projection": False,
}
VAE: Mapping[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
    "norm_num_groups": 4,
}
TEXT: Mapping[str, Any] = {
    "vocab_size": 600,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "bos_token_id": 598,
    "eos_token_id": 599,
    "pad_token_id": 599,
}
CONFIG: Mapping[str, Any] = {
    "unet": {"norm_num_groups": 4, "attention_head_dim": 2},
    "vae": {"norm_num_groups": 4, "scaling_factor": 0.5},
    "text": {"num_attention_heads": 2},
    "sampling": {"steps": 8, "cfg": 3},
    "preview": [[0.1, 0.2, 0.3]] * 4,
}
METADATA = {"config": json.dumps(CONFIG), "modelspec.prediction_type": "v", "modelspec.resolution": "64x32"}


def filled(module: nn.Module, seed: int) -> nn.Module:
    """Give every weight a value of its own, also those that start as zeros or ones."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return module.eval().requires_grad_(False)


def modules(
    unet: Mapping[str, Any] = UNET, vae: Mapping[str, Any] = VAE, text: Mapping[str, Any] = TEXT
) -> tuple[nn.Module, nn.Module, nn.Module]:
    return filled(ldm_unet.build(unet), 1), filled(ldm_vae.build(vae), 2), filled(clip_text.build(text), 3)


def tensors(*made: nn.Module) -> dict[str, Tensor]:
    return sd1.original_layout(*(module.state_dict() for module in made or modules()))


def write(path: Path, content: Mapping[str, Tensor], metadata: Mapping[str, str] = METADATA) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in content.items()}, path, metadata=dict(metadata))
    return path


def lora(rank: int = 2, width: int = 16, context: int = 32) -> dict[str, Tensor]:
    """A LoRA in kohya's layout: one attention of the UNet, one convolution of it, one layer of the text encoder."""
    attention = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    convolution = "lora_unet_mid_block_resnets_0_conv1"
    text = "lora_te_text_model_encoder_layers_1_mlp_fc1"
    draw = torch.Generator().manual_seed(9)
    return {
        f"{attention}.lora_up.weight": torch.randn(width, rank, generator=draw),
        f"{attention}.lora_down.weight": torch.randn(rank, context, generator=draw),
        f"{attention}.alpha": torch.tensor(1.0),
        f"{convolution}.lora_up.weight": torch.randn(32, rank, 1, 1, generator=draw),
        f"{convolution}.lora_down.weight": torch.randn(rank, 32, 3, 3, generator=draw),
        f"{text}.lora_up.weight": torch.randn(64, rank, generator=draw),
        f"{text}.lora_down.weight": torch.randn(rank, context, generator=draw),
    }


CONTROL: Mapping[str, Any] = {
    **{name: value for name, value in UNET.items() if name not in ("up_block_types", "out_channels")},
    "conditioning_channels": 3,
    "conditioning_embedding_out_channels": (4, 8),
}


def control(config: Mapping[str, Any] = CONTROL, seed: int = 4) -> dict[str, Tensor]:
    """A ControlNet for the tiny UNet, in diffusers' layout."""
    return filled(controlnet.build(config), seed).state_dict()


def union(config: Mapping[str, Any] = CONTROL, types: int = 6, seed: int = 5) -> dict[str, Tensor]:
    """A union ControlNet for the tiny UNet, as its files have it beside diffusers' layout."""
    made = filled(controlnet_union.build({**config, "control_types": types, "transformer_layers": 1}), seed)
    files = {new: old for old, new in controlnet_union.NAMES.items()}
    return {
        next((old + name.removeprefix(new) for new, old in files.items() if name.startswith(new)), name): tensor
        for name, tensor in made.state_dict().items()
    }


def original_control(tensors: Mapping[str, Tensor], prefix: str = "control_model.") -> dict[str, Tensor]:
    """The same ControlNet in the original layout."""
    encoder = "controlnet_cond_embedding."
    blocks = len({name.split(".")[2] for name in tensors if name.startswith(f"{encoder}blocks.")})
    places = ["conv_in", *(f"blocks.{place}" for place in range(blocks)), "conv_out"]
    names = {f"{encoder}{inner}.": f"input_hint_block.{2 * place}." for place, inner in enumerate(places)}
    names["controlnet_mid_block."] = "middle_block_out.0."
    for place in range(sum(name.startswith("controlnet_down_blocks.") for name in tensors) // 2):
        names[f"controlnet_down_blocks.{place}."] = f"zero_convs.{place}.0."
    found = {}
    for new, old in names.items():
        found |= {f"{prefix}{old}{leaf}": tensors[new + leaf] for leaf in ("weight", "bias")}
    only = controlnet_union.names(tensors).values()
    found |= {prefix + name: tensors[name] for name in only}
    shared = [name for name in tensors if not name.startswith("controlnet_") and name not in only]
    return found | {prefix + old: tensors[new] for old, new in ldm_unet.original_names(shared).items()}
