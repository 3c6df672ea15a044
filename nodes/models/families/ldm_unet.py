"""The UNet of latent diffusion (Rombach et al. 2022): names in the original layout, names and config in diffusers'.

In the original layout blocks are numbered through: ``input_blocks.i`` holds a residual block (part 0) and maybe a
transformer (part 1), or a downsampling; each level has as many residual blocks. ``output_blocks.i`` likewise, one more
per level, with the upsampling as the last part.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

Shapes = Mapping[str, tuple[int, ...]]
Depths = tuple[tuple[int, ...], ...]

RESNET: Mapping[str, str] = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
"""Parts of a residual block: original -> diffusers."""

OUTER: Mapping[str, str] = {
    "input_blocks.0.0": "conv_in",
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "label_emb.0.0": "add_embedding.linear_1",
    "label_emb.0.2": "add_embedding.linear_2",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
    "middle_block.1": "mid_block.attentions.0",
}
"""Modules that stand alone: original -> diffusers."""

MIDDLE: Mapping[str, str] = {"middle_block.0": "mid_block.resnets.0", "middle_block.2": "mid_block.resnets.1"}


DIFFUSERS = "down_blocks.0.resnets.0.conv1.weight"
"""A tensor that every UNet in diffusers' layout has."""

TENSOR = re.compile(
    r"(conv_in|conv_out|conv_norm_out|(time|add)_embedding\.linear_[12]"
    r"|(down_blocks\.\d+|mid_block|up_blocks\.\d+)\.(resnets\.\d+\.(norm[12]|conv[12]|time_emb_proj|conv_shortcut)"
    r"|(down|up)samplers\.0\.conv|attentions\.\d+\.(norm|proj_in|proj_out|transformer_blocks\.\d+\.("
    r"norm[123]|attn[12]\.(to_[qkv]|to_out\.0)|ff\.net\.(0\.proj|2)))))\.(weight|bias)"
)
"""The names that a UNet's tensors can have in diffusers' layout."""


def diffusers_names(names: Iterable[str]) -> dict[str, str]:
    """Return diffusers' name -> name in the file, for those of ``names`` that belong to the UNet.

    Names in diffusers' own layout stay as they are.
    """
    names = list(names)
    if DIFFUSERS in names:
        return {name: name for name in names if TENSOR.fullmatch(name)}
    per_level = _blocks_per_level(names)
    pairs = ((diffusers_name(name, per_level), name) for name in names)
    return {new: name for new, name in pairs if new and TENSOR.fullmatch(new)}


def _blocks_per_level(names: Iterable[str]) -> int:
    """Return how many residual blocks a level has: the first downsampling follows them."""
    numbers = [(int(parts[1]), parts[3]) for name in names if (parts := name.split("."))[0] == "input_blocks"]
    down = [number for number, part in numbers if part == "op"]
    return min(down) - 1 if down else max((number for number, _ in numbers), default=0)


def diffusers_name(name: str, per_level: int) -> str | None:
    """Return diffusers' name for a name in the original layout, where each level has so many residual blocks."""
    module, _, leaf = name.rpartition(".")
    if module in OUTER:
        return f"{OUTER[module]}.{leaf}"
    match name.split("."):
        case ["middle_block", ("0" | "2") as part, *rest]:
            return _resnet(MIDDLE[f"middle_block.{part}"], rest)
        case ["middle_block", "1", *rest]:
            return ".".join(["mid_block.attentions.0", *rest])
        case ["input_blocks", number, part, *rest]:
            level, place = divmod(int(number) - 1, per_level + 1)
            if rest[0] == "op":
                return f"down_blocks.{level}.downsamplers.0.conv.{leaf}"
            return _block(f"down_blocks.{level}", part, place, rest)
        case ["output_blocks", number, part, *rest]:
            level, place = divmod(int(number), per_level + 1)
            if rest[0] == "conv":
                return f"up_blocks.{level}.upsamplers.0.conv.{leaf}"
            return _block(f"up_blocks.{level}", part, place, rest)
    return None


def _block(level: str, part: str, place: int, rest: list[str]) -> str | None:
    if part == "0":
        return _resnet(f"{level}.resnets.{place}", rest)
    return ".".join([f"{level}.attentions.{place}", *rest])


def _resnet(block: str, rest: list[str]) -> str | None:
    new = RESNET.get(".".join(rest[:-1]))
    return f"{block}.{new}.{rest[-1]}" if new else None


def original_names(names: Iterable[str]) -> dict[str, str]:
    """Return original name -> diffusers' name, for all names of a UNet in diffusers' layout."""
    names = list(names)
    resnets = [int(name.split(".")[3]) for name in names if name.startswith("down_blocks.0.resnets.")]
    attending = {int(name.split(".")[1]) for name in names if name.startswith("up_blocks.") and ".attentions." in name}
    return {_original_name(name, max(resnets) + 1, attending): name for name in names}


def _original_name(name: str, per_level: int, attending: set[int]) -> str:
    module, _, leaf = name.rpartition(".")
    outer = {new: old for old, new in OUTER.items()} | {new: old for old, new in MIDDLE.items()}
    if module in outer:
        return f"{outer[module]}.{leaf}"
    match name.split("."):
        case ["mid_block", kind, place, *rest]:
            return ".".join([outer[f"mid_block.{kind}.{place}"], *_original_part(kind, rest)])
        case ["down_blocks", level, "downsamplers", *_]:
            return f"input_blocks.{(int(level) + 1) * (per_level + 1)}.0.op.{leaf}"
        case ["down_blocks", level, kind, place, *rest]:
            number = 1 + int(level) * (per_level + 1) + int(place)
            return ".".join([f"input_blocks.{number}", *_numbered_part(kind, rest)])
        case ["up_blocks", level, "upsamplers", *_]:
            number = int(level) * (per_level + 1) + per_level
            return f"output_blocks.{number}.{2 if int(level) in attending else 1}.conv.{leaf}"
        case ["up_blocks", level, kind, place, *rest]:
            number = int(level) * (per_level + 1) + int(place)
            return ".".join([f"output_blocks.{number}", *_numbered_part(kind, rest)])
    raise KeyError(name)


def _numbered_part(kind: str, rest: list[str]) -> list[str]:
    return ["0" if kind == "resnets" else "1", *_original_part(kind, rest)]


def _original_part(kind: str, rest: list[str]) -> list[str]:
    if kind != "resnets":
        return rest
    part = next(old for old, new in RESNET.items() if new == rest[0])
    return [part, *rest[1:]]


def config(shapes: Shapes, groups: int, heads: int | tuple[int, ...]) -> dict[str, Any]:
    """Return diffusers' config, read from shapes by diffusers' names.

    ``groups`` of the group norms and ``heads`` are what no shape tells. A level without transformers takes its
    (unused) depth from the middle.
    """
    down, up = depths(shapes, "down_blocks"), depths(shapes, "up_blocks")
    found = encoder_config(shapes, groups, heads)
    found["out_channels"] = shapes["conv_out.weight"][0]
    found["up_block_types"] = tuple("CrossAttnUpBlock2D" if any(level) else "UpBlock2D" for level in up)
    if any(set(above) != set(below) for above, below in zip(up, reversed(down), strict=True)):
        found["reverse_transformer_layers_per_block"] = tuple(tuple(depth or 1 for depth in level) for level in up)
    return found


def encoder_config(shapes: Shapes, groups: int, heads: int | tuple[int, ...]) -> dict[str, Any]:
    """Return the config of the first half of a UNet and its middle, of which none may look at the text."""
    down, middle = depths(shapes, "down_blocks"), _depth(shapes, "mid_block.attentions.0")
    found = {
        "in_channels": shapes["conv_in.weight"][1],
        "block_out_channels": block_widths(shapes),
        "layers_per_block": len(down[0]),
        "down_block_types": tuple("CrossAttnDownBlock2D" if any(level) else "DownBlock2D" for level in down),
        "transformer_layers_per_block": tuple(level[0] or middle or 1 for level in down),
        "cross_attention_dim": next(_context_widths(shapes), None),
        "attention_head_dim": heads,
        "norm_num_groups": groups,
        "use_linear_projection": is_linear(shapes),
    }
    if not middle:
        has_block = any(name.startswith("mid_block.") for name in shapes)
        found["mid_block_type"] = "UNetMidBlock2D" if has_block else None
    return found


def block_widths(shapes: Shapes) -> tuple[int, ...]:
    """Return the channels of each level, from the outermost."""
    levels = len({name.split(".")[1] for name in shapes if name.startswith("down_blocks.")})
    return tuple(shapes[f"down_blocks.{level}.resnets.0.conv1.weight"][0] for level in range(levels))


def depths(shapes: Shapes, way: str) -> Depths:
    """Return how many transformer blocks follow each residual block of ``down_blocks`` or ``up_blocks``, by level."""
    places = sorted(
        {(int(p[1]), int(p[3])) for name in shapes if (p := name.split("."))[0] == way and p[2] == "resnets"}
    )
    return tuple(
        tuple(_depth(shapes, f"{way}.{level}.attentions.{place}") for _, place in group)
        for level, group in groupby(places, key=lambda found: found[0])
    )


def is_linear(shapes: Shapes) -> bool:
    """Return whether transformers project with linear layers, as in SDXL, and not with 1x1 convolutions."""
    return any(name.endswith("attentions.0.proj_in.weight") and len(shape) == 2 for name, shape in shapes.items())


def context_width(shapes: Shapes) -> int:
    """Return the width of the text encoding that the UNet attends to."""
    return next(_context_widths(shapes))


def _context_widths(shapes: Shapes) -> Iterator[int]:
    return (shape[1] for name, shape in shapes.items() if name.endswith("attn2.to_k.weight"))


def _depth(shapes: Shapes, attention: str) -> int:
    blocks = f"{attention}.transformer_blocks."
    return len({name[len(blocks) :].split(".")[0] for name in shapes if name.startswith(blocks)})


def build(config: Mapping[str, Any]) -> "nn.Module":
    """Make the UNet. diffusers is imported here, because that takes seconds."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    module: nn.Module = UNet2DConditionModel(**config)
    return module
