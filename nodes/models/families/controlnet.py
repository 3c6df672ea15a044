"""ControlNets (Zhang et al. 2023, arXiv 2302.05543) for LDM UNets, in the original layout and in diffusers'.

A ControlNet is the first half of a UNet with an encoder for a picture in front and a 1x1 convolution behind every skip.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.errors import ModelError
from nodes.models.families import controlnet_union, ldm_unet
from nodes.models.families.checkpoint import Network
from nodes.models.families.facts import Facts
from nodes.models.families.kinds import looks_like
from nodes.models.weights import Weights

if TYPE_CHECKING:
    from torch import Tensor, nn

ORIGINAL = "input_hint_block.0.weight"
DIFFUSERS = "controlnet_cond_embedding.conv_in.weight"
PREFIXES = ("control_model.", "module.control_model.", "")

OWN = re.compile(
    r"controlnet_(cond_embedding\.(conv_in|conv_out|blocks\.\d+)|down_blocks\.\d+|mid_block)\.(weight|bias)"
)
"""The names in diffusers' layout of the tensors that a UNet has not."""

DIFFERENCE = "difference"
"""The name of a tensor that says: the weights are to be added to those of the model's UNet."""

HEADS = 8
HEAD_WIDTH = 64
"""UNets with linear projections (Stable Diffusion 2, XL) have heads of this width, others 8 heads."""

GROUPS = 32


def detect(weights: Weights) -> Network:
    """Return the network of a ControlNet, reading nothing but the header. Raises ModelError where it is none."""
    try:
        if DIFFUSERS in weights.infos:
            return _network(weights, _diffusers_names(weights.infos), "")
        for prefix in PREFIXES:
            if prefix + ORIGINAL in weights.infos:
                return _network(weights, _diffusers_names(_under(weights, prefix)), prefix)
    except (KeyError, IndexError, ValueError, StopIteration) as error:
        raise ModelError(
            f"the tensors of {weights.path.name} do not make up a ControlNet",
            got=f"{looks_like(weights)}, {error!r}",
            expected="the names and shapes of a whole ControlNet",
        ) from error
    raise ModelError(
        f"{weights.path.name} is not a ControlNet that is known",
        got=looks_like(weights),
        expected="a ControlNet or a T2I-Adapter for Stable Diffusion, in the original or diffusers' layout",
        hint="choose another file, or the node that loads this kind",
    )


def _under(weights: Weights, prefix: str) -> list[str]:
    return [name.removeprefix(prefix) for name in weights.infos if name.startswith(prefix)]


def _network(weights: Weights, names: Mapping[str, str], prefix: str) -> Network:
    union = controlnet_union.names(_under(weights, prefix))
    keys = {new: prefix + old for new, old in {**names, **union}.items()}
    shapes = {new: weights.shape(key) for new, key in keys.items()}
    found = config(shapes, Facts(weights.metadata))
    if union:
        return Network(found | controlnet_union.config(shapes), controlnet_union.build, keys, prefix, adapters=())
    return Network(found, build, keys, prefix, adapters=())


def _diffusers_names(names: Iterable[str]) -> dict[str, str]:
    """Return diffusers' name -> name in the file, which may be in diffusers' layout already."""
    names = list(names)
    if DIFFUSERS in names:
        return ldm_unet.diffusers_names(names) | {name: name for name in names if OWN.fullmatch(name)}
    hints = sorted({int(name.split(".")[1]) for name in names if name.startswith("input_hint_block.")})
    return ldm_unet.diffusers_names(names) | {
        new: name for name in names if (new := _control_name(name, hints)) is not None
    }


def _control_name(name: str, hints: list[int]) -> str | None:
    match name.split("."):
        case ["input_hint_block", number, leaf]:
            place = hints.index(int(number))
            inner = "conv_in" if place == 0 else "conv_out" if place == len(hints) - 1 else f"blocks.{place - 1}"
            return f"controlnet_cond_embedding.{inner}.{leaf}"
        case ["zero_convs", number, "0", leaf]:
            return f"controlnet_down_blocks.{number}.{leaf}"
        case ["middle_block_out", "0", leaf]:
            return f"controlnet_mid_block.{leaf}"
    return None


def config(shapes: Mapping[str, tuple[int, ...]], facts: Facts) -> dict[str, Any]:
    """Return diffusers' config, read from shapes by diffusers' names, and from metadata as a checkpoint has it.

    Raises KeyError where a part is not there.
    """
    for part in ("mid_block.resnets.0.norm1.weight", "controlnet_mid_block.weight"):
        if part not in shapes:
            raise KeyError(part)
    heads, groups = facts.get("unet", "attention_head_dim", HEADS), facts.get("unet", "norm_num_groups", GROUPS)
    found = ldm_unet.encoder_config(shapes, groups, heads)
    if found["use_linear_projection"]:
        found["attention_head_dim"] = tuple(width // HEAD_WIDTH for width in found["block_out_channels"])
    blocks = len({name.split(".")[2] for name in shapes if name.startswith("controlnet_cond_embedding.blocks.")})
    firsts = [shapes[f"controlnet_cond_embedding.blocks.{place}.weight"][0] for place in range(1, blocks, 2)]
    hint = shapes["controlnet_cond_embedding.conv_in.weight"]
    found |= {"conditioning_channels": hint[1], "conditioning_embedding_out_channels": (hint[0], *firsts)}
    if added := shapes.get("add_embedding.linear_1.weight"):
        found |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": TIME_WIDTH,
            "projection_class_embeddings_input_dim": added[1],
        }
    return found


def factor(network: Network) -> int:
    """Return how many pixels of the picture make a cell of the latent: each part of its encoder but the last halves."""
    return int(2 ** (len(network.config["conditioning_embedding_out_channels"]) - 1))


TIME_WIDTH = 256
"""The width of the embedding of each size that Stable Diffusion XL is told."""


def build(config: Mapping[str, Any]) -> "nn.Module":
    """Make the ControlNet. diffusers is imported here, because that takes seconds."""
    from diffusers.models.controlnets.controlnet import ControlNetModel

    module: nn.Module = ControlNetModel(**config)
    return module


def summed(weights: Weights, network: Network, base: Weights, unet: Network) -> Weights:
    """Return the weights of a difference file added to those of a model's UNet, in float32."""
    added = {key: unet.keys[name] for name, key in network.keys.items() if name in unet.keys}

    def tensor(name: str) -> "Tensor":
        own = weights.tensor(name)
        return own.float() + base.tensor(added[name]).float() if name in added else own

    return replace(weights, tensor=tensor)
