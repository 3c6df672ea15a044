"""Stable Diffusion 2.x, and its unCLIP models: SD 1's build with linear projections and OpenCLIP's ViT-H for the text.

What was trained on the embeddings of pictures (Stable unCLIP, after Ramesh et al. 2022, arXiv 2204.06125) gets one
vector more. Not compared with the reference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from nodes.models.families import clip_text, components, ldm_unet, open_clip, sd1, unclip
from nodes.models.families.checkpoint import Checkpoint, Defaults, Network, Prediction, TextEncoder
from nodes.models.families.facts import PREDICTION, Facts
from nodes.models.weights import Weights

if TYPE_CHECKING:
    from nodes.recipes import Cond

NAME = "sd2"
TEXT_PREFIX = "cond_stage_model.model."
ALONE = "text_model."
LAYERS = 24
"""Layers of ViT-H's text encoder. Files of diffusers leave out the last one, which no picture needs."""

DEFAULTS = Defaults(width=768, height=768, steps=20, cfg=7.0)

VELOCITY = "output_blocks.11.1.transformer_blocks.0.norm1.bias"
SPREAD = 0.09
"""The bias of this norm is spread wider than that in networks that predict velocity: what tells them apart where the
metadata says nothing."""


def detect(weights: Weights) -> Checkpoint | None:
    """Return what a file holds where it is of this family, reading its header and one small tensor."""
    facts = Facts(weights.metadata)
    unet, text = _unet(weights, facts), _text(weights)
    if unet is None and text is None:
        return None
    vae = components.vae(weights, facts)
    width = unet.config.get("projection_class_embeddings_input_dim", 0) if unet else 0
    return Checkpoint(
        family=NAME,
        prediction=_prediction(weights, facts, unet),
        levels=components.levels,
        latent=components.latent_format(unet, vae, facts, sd1.LATENT),
        defaults=facts.defaults(DEFAULTS),
        unet=unet,
        vae=vae,
        text=(text,) if text else (),
        inputs=partial(inputs, weights, width),
    )


def inputs(weights: Weights, width: int, cond: "Cond", shape: Sequence[int], is_negative: bool) -> Mapping[str, Any]:
    """Return what the network gets for a prompt: the encoded prompt, and the vector of pictures where it takes one."""
    if not width:
        return {"context": cond.context}
    return {"context": cond.context, "class_labels": unclip.vector(weights, width, cond.options.get("unclip", ()))}


def _prediction(weights: Weights, facts: Facts, unet: Network | None) -> Prediction:
    stated = facts.prediction("v_pred" in weights.infos)
    if unet is None or PREDICTION in weights.metadata or unet.config["in_channels"] != 4:
        return stated
    name = next((key for key in unet.keys.values() if key.endswith(VELOCITY)), None)
    if name is None:
        return stated
    return "v" if weights.tensor(name).float().std(unbiased=False) > SPREAD else stated


def _unet(weights: Weights, facts: Facts) -> Network | None:
    prefix = components.unet_prefix(weights)
    if prefix is None:
        return None
    names = ldm_unet.diffusers_names(components.under(weights, prefix))
    shapes = components.shapes(weights, prefix, names)
    depths = [*chain.from_iterable(ldm_unet.depths(shapes, "down_blocks"))]
    if not ldm_unet.is_linear(shapes) or depths[0] != 1 or {*depths} - {0, 1}:
        return None  # SDXL and its relatives do not attend on their first level
    widths = ldm_unet.block_widths(shapes)
    groups = facts.get("unet", "norm_num_groups", components.GROUPS)
    heads = facts.get("unet", "attention_head_dim", 0) or tuple(
        max(1, width // components.HEAD_WIDTH) for width in widths
    )
    components.must_divide(weights, "unet", "norm_num_groups", groups, widths)
    config = ldm_unet.config(shapes, groups, heads)
    if added := shapes.get("add_embedding.linear_1.weight"):
        config |= {"class_embed_type": "projection", "projection_class_embeddings_input_dim": added[1]}
    made = components.network(ldm_unet, config, names, prefix, *components.UNET_ADAPTERS)
    keys = {_label(name): key for name, key in made.keys.items()}
    return replace(made, keys=keys, originals={_label(name): old for name, old in made.originals.items()})


def _label(name: str) -> str:
    """Return the name of a tensor with the embedding of a label called as diffusers calls it here."""
    return name.replace("add_embedding.", "class_embedding.")


def _text(weights: Weights) -> TextEncoder | None:
    prefix = components.prefix_of(weights, (TEXT_PREFIX, ""), open_clip.PROBES)
    if prefix is not None:
        names, cuts = open_clip.transformers_names(components.under(weights, prefix))
    else:
        prefix, cuts = ALONE, {}
        names = {name: name for name in components.under(weights, ALONE)}
    has_last, has_more = (f"encoder.layers.{n}.mlp.fc1.weight" in names for n in (LAYERS - 2, LAYERS))
    if prefix != TEXT_PREFIX and (not has_last or has_more):
        return None
    keys = {
        new: prefix + old
        for new, old in names.items()
        if clip_text.TENSOR.fullmatch(new) and new != clip_text.PROJECTION
    }
    adapters = (*components.TEXT_ADAPTERS, *components.saved_adapters("h"))
    bare = Network({}, clip_text.build, keys, prefix, adapters, cuts)
    shapes = {name: bare.shape(weights, name) for name in keys}
    config = clip_text.config(shapes, max(1, shapes[clip_text.TOKENS][1] // components.HEAD_WIDTH), "gelu")
    layer = -1 if config["num_hidden_layers"] == LAYERS - 1 else -2
    made = replace(bare, config=config)
    return components.encoder(weights, "h", made, pad=0, layer=layer, final_norm=True)
