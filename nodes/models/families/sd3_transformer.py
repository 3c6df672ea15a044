"""SD3's transformer: names in the original layout, names and config in diffusers', and how it is called."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isqrt
from typing import TYPE_CHECKING, Any

from nodes.models.families import components
from nodes.models.families.checkpoint import Cut
from nodes.models.families.flux_transformer import SKIP
from nodes.models.working import transformer_bytes

if TYPE_CHECKING:
    from torch import Tensor, nn

Shapes = Mapping[str, tuple[int, ...]]

HEAD = 64
"""The width of a head where no norm of queries tells it."""

PROBES = ("x_embedder.proj.weight", "y_embedder.mlp.0.weight", "joint_blocks.0.x_block.attn.qkv.weight", "pos_embed")
DIFFUSERS = ("pos_embed.proj.weight", "pos_embed.pos_embed", "transformer_blocks.0.attn.add_q_proj.weight")
"""Tensors that every transformer has in the original layout, and in diffusers'."""

OUTER: Mapping[str, str] = {
    "x_embedder.proj": "pos_embed.proj",
    "context_embedder": "context_embedder",
    "t_embedder.mlp.0": "time_text_embed.timestep_embedder.linear_1",
    "t_embedder.mlp.2": "time_text_embed.timestep_embedder.linear_2",
    "y_embedder.mlp.0": "time_text_embed.text_embedder.linear_1",
    "y_embedder.mlp.2": "time_text_embed.text_embedder.linear_2",
    "final_layer.linear": "proj_out",
}
"""Modules outside the blocks: original -> diffusers."""

SWAPPED: Mapping[str, str] = {"final_layer.adaLN_modulation.1": "norm_out.linear"}
"""The module that gives shift and scale in one layout, scale and shift in the other."""

CONTEXT_NORM = "context_block.adaLN_modulation.1"
"""It is such a module, too, in the last block."""

INNER: Mapping[str, str] = {
    "x_block.adaLN_modulation.1": "norm1.linear",
    CONTEXT_NORM: "norm1_context.linear",
    "x_block.attn.proj": "attn.to_out.0",
    "context_block.attn.proj": "attn.to_add_out",
    "x_block.attn.ln_q": "attn.norm_q",
    "x_block.attn.ln_k": "attn.norm_k",
    "context_block.attn.ln_q": "attn.norm_added_q",
    "context_block.attn.ln_k": "attn.norm_added_k",
    "x_block.attn2.proj": "attn2.to_out.0",
    "x_block.attn2.ln_q": "attn2.norm_q",
    "x_block.attn2.ln_k": "attn2.norm_k",
    "x_block.mlp.fc1": "ff.net.0.proj",
    "x_block.mlp.fc2": "ff.net.2",
    "context_block.mlp.fc1": "ff_context.net.0.proj",
    "context_block.mlp.fc2": "ff_context.net.2",
}
"""Modules of a block: original -> diffusers."""

FUSED: Mapping[str, Sequence[str]] = {
    "x_block.attn.qkv": [f"attn.to_{part}" for part in "qkv"],
    "x_block.attn2.qkv": [f"attn2.to_{part}" for part in "qkv"],
    "context_block.attn.qkv": [f"attn.add_{part}_proj" for part in "qkv"],
}
"""Modules of a block that are one in the original layout and three in diffusers'."""

BLOCK = re.compile(r"joint_blocks\.(\d+)\.(.+)")


def diffusers_names(names: Iterable[str]) -> tuple[dict[str, str], dict[str, Cut]]:
    """Return diffusers' name -> name in the file, and how tensors lie in those of the file.

    Names in diffusers' own layout stay as they are.
    """
    names = list(names)
    if DIFFUSERS[0] in names:
        return components.with_factors({name: name for name in names}), {}
    last = max(int(block[1]) for name in names if (block := BLOCK.match(name)))
    found = {"pos_embed.pos_embed": "pos_embed"}
    cuts: dict[str, Cut] = {}
    for name in names:
        module, _, leaf = name.rpartition(".")
        for new, cut in _modules(module, last):
            found[f"{new}.{leaf}"] = name
            if cut and leaf in ("weight", "bias"):
                cuts[f"{new}.{leaf}"] = cut
    return components.with_factors(found), cuts


def _modules(original: str, last: int) -> Iterator[tuple[str, Cut | None]]:
    """Yield the modules of diffusers that one of the original layout is, each with the cut of its tensors."""
    if original in OUTER:
        yield OUTER[original], None
    elif original in SWAPPED:
        yield SWAPPED[original], Cut(is_swapped=True)
    elif block := BLOCK.fullmatch(original):
        number, part = block.groups()
        prefix = f"transformer_blocks.{number}."
        for place, new in enumerate(FUSED.get(part, ())):
            yield prefix + new, Cut(place, 3)
        if part in INNER:
            is_swapped = part == CONTEXT_NORM and int(number) == last
            yield prefix + INNER[part], Cut(is_swapped=True) if is_swapped else None


def config(shapes: Shapes) -> dict[str, Any]:
    """Return diffusers' config, read from shapes by diffusers' names."""
    width, channels, patch, _ = shapes["pos_embed.proj.weight"]
    (head,) = shapes.get("transformer_blocks.0.attn.norm_q.weight", (HEAD,))
    places = isqrt(shapes["pos_embed.pos_embed"][-2])
    blocks = {int(name.split(".")[1]) for name in shapes if name.startswith("transformer_blocks.")}
    dual = {int(name.split(".")[1]) for name in shapes if ".attn2." in name}
    return {
        "sample_size": places * patch,
        "patch_size": patch,
        "in_channels": channels,
        "out_channels": shapes["proj_out.weight"][0] // patch**2,
        "num_layers": len(blocks),
        "attention_head_dim": head,
        "num_attention_heads": width // head,
        "joint_attention_dim": shapes["context_embedder.weight"][1],
        "caption_projection_dim": shapes["context_embedder.weight"][0],
        "pooled_projection_dim": shapes["time_text_embed.text_embedder.linear_1.weight"][1],
        "pos_embed_max_size": places,
        "dual_attention_layers": tuple(sorted(dual)),
        "qk_norm": "rms_norm" if "transformer_blocks.0.attn.norm_q.weight" in shapes else None,
    }


def build(config: Mapping[str, Any]) -> "nn.Module":
    """Make the transformer. diffusers is imported here, because that takes seconds."""
    from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel

    module: nn.Module = SD3Transformer2DModel(**config)
    return module


def call(module: "nn.Module", x: "Tensor", timestep: "Tensor", inputs: Mapping[str, Any]) -> "Tensor":
    """Call the transformer for latents (batch, channels, h, w) at ``timestep`` (batch,), 0 to 1000.

    Sides that are no whole patches are filled from the other end.
    """
    from torch.nn.functional import pad

    left_out = inputs.get(SKIP)
    patch: int = module.config.patch_size  # type: ignore[union-attr,assignment]
    height, width = x.shape[-2:]
    whole = pad(x, (0, -width % patch, 0, -height % patch), mode="circular")
    out: Tensor = module(
        whole,
        encoder_hidden_states=inputs["context"].to(x.dtype),
        pooled_projections=inputs["pooled"].to(x.dtype),
        timestep=timestep,
        skip_layers=left_out.double if left_out else None,
        return_dict=False,
    )[0]
    return out[..., :height, :width]


def working(config: Mapping[str, Any], batch: int, cells: int, itemsize: int) -> int:
    """Return the bytes that the transformer takes at work, beside its weights."""
    width: int = config["attention_head_dim"] * config["num_attention_heads"]
    widest = 9 * width * width
    return transformer_bytes(width, batch, cells // config["patch_size"] ** 2, itemsize) + widest * itemsize
