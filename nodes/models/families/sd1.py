"""Stable Diffusion 1.x and everything built like it: an LDM UNet with a CLIP text encoder and a KL autoencoder.

Widths, depths, places of attention, channels and the vocabulary are read from shapes. What no shape tells (heads, norm
groups, prediction, latent scale, sizes to ask for) is read from the file's metadata, else it is as in SD 1.5.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nodes.models.families import components, ldm_unet
from nodes.models.families.checkpoint import Checkpoint, Defaults, LatentFormat, Network
from nodes.models.families.facts import Facts
from nodes.models.weights import Weights

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.recipes import Cond

NAME = "sd1"
TEXT_PREFIXES = ("cond_stage_model.transformer.text_model.", "cond_stage_model.transformer.", "text_model.", "")

HEADS = 8
DEFAULTS = Defaults(width=512, height=512, steps=20, cfg=7.0)

RGB = ((0.298, 0.207, 0.208), (0.187, 0.286, 0.173), (-0.158, 0.189, 0.264), (-0.184, -0.271, -0.473))
"""Latents of SD 1.x to colour: a linear fit published by Keturn in 2022."""

LATENT = LatentFormat(4, 8, 0.18215, RGB, space=NAME)


def detect(weights: Weights) -> Checkpoint | None:
    """Return what a file holds where it is of this family, reading nothing but its header.

    Raises ModelError where its metadata contradicts its shapes.
    """
    if any(name.startswith(("cond_stage_model.model.", "conditioner.")) for name in weights.infos):
        return None
    facts = Facts(weights.metadata)
    prefix = components.unet_prefix(weights)
    unet = None if prefix is None else _unet(weights, prefix, facts)
    if prefix is not None and unet is None:
        return None
    vae = components.vae(weights, facts)
    text = components.clip_l(weights, TEXT_PREFIXES, facts, layer=-1, final_norm=True)
    if unet is None and vae is None and text is None:
        return None
    return Checkpoint(
        family=NAME,
        prediction=facts.prediction("v_pred" in weights.infos),
        levels=components.levels,
        latent=components.latent_format(unet, vae, facts, LATENT),
        defaults=facts.defaults(DEFAULTS),
        unet=unet,
        vae=vae,
        text=(text,) if text else (),
        inputs=inputs,
    )


def original_layout(
    unet: Mapping[str, "Tensor"], vae: Mapping[str, "Tensor"], text: Mapping[str, "Tensor"]
) -> dict[str, "Tensor"]:
    """Return the tensors of a checkpoint in the original layout, from the state dicts of its three modules."""
    found = components.unet_layout(unet) | components.vae_layout(vae)
    for name, tensor in text.items():
        found[TEXT_PREFIXES[0] + name.removeprefix("text_model.")] = tensor
    return found


def inputs(cond: "Cond", shape: Sequence[int], is_negative: bool) -> Mapping[str, Any]:
    """Return what the network gets for a prompt: the encoded prompt, whatever the size of the latents."""
    return {"context": cond.context}


def _unet(weights: Weights, prefix: str, facts: Facts) -> Network | None:
    names = ldm_unet.diffusers_names(components.under(weights, prefix))
    shapes = components.shapes(weights, prefix, names)
    if "add_embedding.linear_1.weight" in shapes or len(shapes.get("mid_block.attentions.0.proj_in.weight", ())) != 4:
        return None
    heads = facts.get("unet", "num_attention_heads", facts.get("unet", "attention_head_dim", HEADS))
    groups = facts.get("unet", "norm_num_groups", components.GROUPS)
    config = ldm_unet.config(shapes, groups, heads)
    components.must_divide(weights, "unet", "norm_num_groups", groups, config["block_out_channels"])
    components.must_divide(weights, "unet", "attention_head_dim", heads, config["block_out_channels"])
    return components.network(ldm_unet, config, names, prefix, *components.UNET_ADAPTERS)
