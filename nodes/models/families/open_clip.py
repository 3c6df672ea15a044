"""OpenCLIP's text encoder (Ilharco et al. 2021): its names as transformers has them, and which tensors lie in others.

Query, key and value are the three parts of one tensor; the projection is stored the other way round.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from nodes.models.families.checkpoint import Cut
from nodes.models.families.clip_text import POSITIONS, PROJECTION, TOKENS

if TYPE_CHECKING:
    from torch import Tensor

OUTER: Mapping[str, str] = {
    "token_embedding.weight": TOKENS,
    "positional_embedding": POSITIONS,
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
    "text_projection.weight": PROJECTION,
    "text_projection": PROJECTION,
}
"""Tensors outside the layers: OpenCLIP -> transformers."""

MODULES: Mapping[str, str] = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
"""Modules of a layer: OpenCLIP -> transformers."""

FUSED = ("q_proj", "k_proj", "v_proj")
LAYERS = "transformer.resblocks."
PROBES = ("token_embedding.weight", "positional_embedding", "transformer.resblocks.0.attn.in_proj_weight")


def transformers_names(names: Iterable[str]) -> tuple[dict[str, str], dict[str, Cut]]:
    """Return transformers' name -> OpenCLIP's, and the cuts by transformers' name, for those that belong."""
    found: dict[str, str] = {}
    cuts: dict[str, Cut] = {}
    for name in names:
        if name in OUTER:
            found[OUTER[name]] = name
        elif name.startswith(LAYERS):
            layer, _, rest = name[len(LAYERS) :].partition(".")
            for new, cut in in_layer(rest):
                found[f"encoder.layers.{layer}.{new}"] = name
                if cut:
                    cuts[f"encoder.layers.{layer}.{new}"] = cut
    if found.get(PROJECTION) == "text_projection":
        cuts[PROJECTION] = Cut(is_transposed=True)
    return found, cuts


def in_layer(rest: str) -> list[tuple[str, Cut | None]]:
    """Return transformers' names of what a tensor of a layer holds, each with its cut if it is a part."""
    if rest.startswith("attn.in_proj_"):
        leaf = rest.removeprefix("attn.in_proj_")
        return [(f"self_attn.{part}.{leaf}", Cut(place, len(FUSED))) for place, part in enumerate(FUSED)]
    module, _, leaf = rest.rpartition(".")
    return [(f"{MODULES[module]}.{leaf}", None)] if module in MODULES else []


def original(text: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """Return the tensors of an encoder by OpenCLIP's names, from a state dict with transformers' names."""
    import torch

    outer = {new: old for old, new in OUTER.items()}
    modules = {new: old for old, new in MODULES.items()}
    found: dict[str, Tensor] = {}
    for name, tensor in text.items():
        module, _, leaf = name.rpartition(".")
        if name in outer:
            found[outer[name]] = tensor.T if name == PROJECTION else tensor
            continue
        layer, rest = module.removeprefix("encoder.layers.").split(".", 1)
        if rest in modules:
            found[f"{LAYERS}{layer}.{modules[rest]}.{leaf}"] = tensor
        elif rest == "self_attn.q_proj":
            fused = [text[f"encoder.layers.{layer}.self_attn.{part}.{leaf}"] for part in FUSED]
            found[f"{LAYERS}{layer}.attn.in_proj_{leaf}"] = torch.cat(fused)
    return found
