"""The autoencoder of latent diffusion: names in the original layout, names and config in diffusers'."""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

Shapes = Mapping[str, tuple[int, ...]]

PARTS: tuple[tuple[str, str], ...] = (
    ("mid.block_1.", "mid_block.resnets.0."),
    ("mid.block_2.", "mid_block.resnets.1."),
    ("mid.attn_1.norm.", "mid_block.attentions.0.group_norm."),
    ("mid.attn_1.q.", "mid_block.attentions.0.to_q."),
    ("mid.attn_1.k.", "mid_block.attentions.0.to_k."),
    ("mid.attn_1.v.", "mid_block.attentions.0.to_v."),
    ("mid.attn_1.proj_out.", "mid_block.attentions.0.to_out.0."),
    (".norm_out.", ".conv_norm_out."),
    (".nin_shortcut.", ".conv_shortcut."),
)
"""Parts of a name: original -> diffusers. The attention is 1x1 convolutions here and linear layers there."""

EARLY: tuple[tuple[str, str], ...] = (
    (".query.", ".to_q."),
    (".key.", ".to_k."),
    (".value.", ".to_v."),
    (".proj_attn.", ".to_out.0."),
)
"""Parts of a name in early files of diffusers -> later ones."""


def diffusers_names(names: Iterable[str]) -> dict[str, str]:
    """Return diffusers' name -> name in the file, which may be in diffusers' layout already."""
    names = list(names)
    top = max((int(found[1]) for name in names if (found := re.match(r"decoder\.up\.(\d+)", name))), default=0)
    return {new: name for name in names if TENSOR.fullmatch(new := _diffusers_name(name, top))}


TENSOR = re.compile(
    r"((en|de)coder\.(conv_in|conv_out|conv_norm_out|mid_block\.resnets\.[01]\.(norm[12]|conv[12]|conv_shortcut)"
    r"|mid_block\.attentions\.0\.(group_norm|to_[qkv]|to_out\.0)|(down|up)_blocks\.\d+\.("
    r"resnets\.\d+\.(norm[12]|conv[12]|conv_shortcut)|(down|up)samplers\.0\.conv))|(post_)?quant_conv)\.(weight|bias)"
)
"""The names that an autoencoder's tensors can have in diffusers' layout."""


def _diffusers_name(name: str, top: int) -> str:
    for old, new in (*PARTS, *EARLY):
        name = name.replace(old, new)
    name = re.sub(r"^encoder\.down\.(\d+)\.block\.", r"encoder.down_blocks.\1.resnets.", name)
    name = re.sub(r"^encoder\.down\.(\d+)\.downsample\.", r"encoder.down_blocks.\1.downsamplers.0.", name)
    name = re.sub(r"^decoder\.up\.(\d+)\.block\.", lambda m: f"decoder.up_blocks.{top - int(m[1])}.resnets.", name)
    return re.sub(
        r"^decoder\.up\.(\d+)\.upsample\.", lambda m: f"decoder.up_blocks.{top - int(m[1])}.upsamplers.0.", name
    )


def original_names(names: Iterable[str]) -> dict[str, str]:
    """Return original name -> diffusers' name."""
    names = list(names)
    top = max(int(found[1]) for name in names if (found := re.match(r"decoder\.up_blocks\.(\d+)", name)))
    return {_original_name(name, top): name for name in names}


def _original_name(name: str, top: int) -> str:
    for old, new in PARTS:
        name = name.replace(new, old)
    name = re.sub(r"^encoder\.down_blocks\.(\d+)\.resnets\.", r"encoder.down.\1.block.", name)
    name = re.sub(r"^encoder\.down_blocks\.(\d+)\.downsamplers\.0\.", r"encoder.down.\1.downsample.", name)
    name = re.sub(r"^decoder\.up_blocks\.(\d+)\.resnets\.", lambda m: f"decoder.up.{top - int(m[1])}.block.", name)
    return re.sub(
        r"^decoder\.up_blocks\.(\d+)\.upsamplers\.0\.", lambda m: f"decoder.up.{top - int(m[1])}.upsample.", name
    )


def is_pointwise(name: str) -> bool:
    """Tell whether a tensor, by its original name, is a 1x1 convolution that diffusers holds as a linear layer."""
    return re.search(r"mid\.attn_1\.(q|k|v|proj_out)\.weight$", name) is not None


def config(shapes: Shapes, groups: int) -> dict[str, Any]:
    """Return diffusers' config, read from shapes by diffusers' names."""
    levels = len({name.split(".")[2] for name in shapes if name.startswith("encoder.down_blocks.")})
    per_level = len({name.split(".")[4] for name in shapes if name.startswith("encoder.down_blocks.0.resnets.")})
    widths = [shapes[f"encoder.down_blocks.{level}.resnets.0.conv1.weight"][0] for level in range(levels)]
    return {
        "in_channels": shapes["encoder.conv_in.weight"][1],
        "out_channels": shapes["decoder.conv_out.weight"][0],
        "latent_channels": shapes["decoder.conv_in.weight"][1],
        "block_out_channels": tuple(widths),
        "layers_per_block": per_level,
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "norm_num_groups": groups,
        **({} if "quant_conv.weight" in shapes else {"use_quant_conv": False, "use_post_quant_conv": False}),
    }


def build(config: Mapping[str, Any]) -> "nn.Module":
    """Make the autoencoder. diffusers is imported here, because that takes seconds."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    module: nn.Module = AutoencoderKL(**config)
    return module
