"""Stable Diffusion XL (Podell et al. 2023, arXiv 2307.01952), its refiner, and what was distilled from it.

The UNet attends to two text encoders, CLIP's L and OpenCLIP's bigG, joined along the width, and gets one vector more:
bigG's pooled prompt with the sizes that the prompt is for. The refiner has bigG alone, and a score in place of a size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from engine.errors import ModelError
from nodes.models.families import clip_text, components, ldm_unet, open_clip
from nodes.models.families.checkpoint import (
    Checkpoint,
    Defaults,
    LatentFormat,
    Network,
    Placed,
    TextEncoder,
    TextFamily,
)
from nodes.models.families.facts import Facts
from nodes.models.weights import Weights

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.recipes import Cond

NAME = "sdxl"
REFINER = "sdxl-refiner"

DEPTHS: Mapping[tuple[int, ...], str] = {
    (0, 0, 2, 2, 10, 10): NAME,
    (0, 0, 1, 1, 2, 2): NAME,
    (0, 0, 2, 2, 4, 4): NAME,
    (0, 2, 5): NAME,
    (0, 2, 6): NAME,
    (0, 0, 4, 4, 4, 4, 0, 0): REFINER,
}
"""Transformer blocks after each residual block on the way down: SDXL, Vega, SSD-1B, two KOALA, and the refiner."""

SIZES: Mapping[str, tuple[str, ...]] = {
    NAME: ("height", "width", "crop_h", "crop_w", "target_height", "target_width"),
    REFINER: ("height", "width", "crop_h", "crop_w", "aesthetic_score"),
}
"""The numbers in the vector, after the pooled prompt, each as ``SIZE_WIDTH`` sines and cosines."""

SIZE_WIDTH = 256
SCORE, NEGATIVE_SCORE = 6.0, 2.5
"""The aesthetic score that the refiner is asked for, and the one that it is kept away from."""

LAYER = -2
G_LAYERS = 32

L_PREFIX = "conditioner.embedders.0.transformer.text_model."
G_PREFIXES = ("conditioner.embedders.1.model.", "conditioner.embedders.0.model.", "")
G_ALONE = "text_model."
G_ADAPTERS = (
    "lora_te2_text_model_", "lora_te2_", "text_encoder_2.text_model.", "text_encoder_2.",
    *components.saved_adapters("g"),
)  # fmt: skip

DEFAULTS = Defaults(width=1024, height=1024, steps=20, cfg=7.0)

RGB = ((0.47, 0.47, 0.47), (-0.47, -0.04, 0.08), (0.2, 0.12, -0.04), (-0.55, -0.39, -0.27))
"""Latents of SDXL to colour: a linear fit published by Timothy Alexis Vass in 2023, without its offset."""

LATENT = LatentFormat(4, 8, 0.13025, RGB, space=NAME)

OTHER_CLOCKS = ("edm_mean", "edm_vpred.sigma_max")
"""Keys that mark a model trained on continuous noise levels."""


def detect(weights: Weights) -> Checkpoint | None:
    """Return what a file holds where it is of this family, reading nothing but its header.

    Raises ModelError where it is a relative of SDXL that is not known.
    """
    facts = Facts(weights.metadata)
    found = _unet(weights, facts)
    text = _text(weights, facts)
    if found is None and not text:
        return None
    is_v = "v_pred" in weights.infos
    family, unet = found or (NAME, None)
    vae = components.vae(weights, facts)
    latent = components.latent_format(unet, vae, facts, LATENT)
    return Checkpoint(
        family=family,
        prediction=facts.prediction(is_v),
        levels=components.zero_terminal_levels if is_v and "ztsnr" in weights.infos else components.levels,
        latent=latent,
        defaults=facts.defaults(DEFAULTS),
        unet=unet,
        vae=vae,
        text=text,
        inputs=partial(inputs, family, latent.factor, _pooled_width(family, unet)),
    )


def inputs(
    family: str, factor: int, pooled_width: int, cond: "Cond", shape: Sequence[int], is_negative: bool
) -> Mapping[str, Any]:
    """Return what the network gets for a prompt and latents (..., h, w): context, pooled prompt and sizes.

    A size that the prompt does not state is that of the picture. Raises ModelError where the prompt has no pooled
    vector, or one of another width.
    """
    import torch

    pooled = components.pooled(cond, pooled_width)
    height, width = (cond.options.get(side, shape[axis] * factor) for side, axis in (("height", -2), ("width", -1)))
    stated = {
        "crop_h": 0,
        "crop_w": 0,
        "target_height": height,
        "target_width": width,
        "aesthetic_score": NEGATIVE_SCORE if is_negative else SCORE,
        **cond.options,
        "height": height,
        "width": width,
    }
    sizes = torch.tensor([[float(stated[name]) for name in SIZES[family]]])
    return {"context": cond.context, "text_embeds": pooled, "time_ids": sizes}


def original_layout(
    unet: Mapping[str, "Tensor"], vae: Mapping[str, "Tensor"], text: Mapping[str, Mapping[str, "Tensor"]]
) -> dict[str, "Tensor"]:
    """Return the tensors of a checkpoint in the original layout, from state dicts; encoders by ``l`` and ``g``."""
    found = components.unet_layout(unet) | components.vae_layout(vae)
    found |= {L_PREFIX + name: tensor for name, tensor in text.get("l", {}).items()}
    prefix = G_PREFIXES[0] if "l" in text else G_PREFIXES[1]
    return found | {prefix + name: tensor for name, tensor in open_clip.original(text["g"]).items()}


def _unet(weights: Weights, facts: Facts) -> tuple[str, Network] | None:
    prefix = components.unet_prefix(weights)
    names = {} if prefix is None else ldm_unet.diffusers_names(components.under(weights, prefix))
    if prefix is None or "add_embedding.linear_1.weight" not in names:
        return None
    shapes = components.shapes(weights, prefix, names)
    family = _family(weights, shapes)
    widths = ldm_unet.block_widths(shapes)
    groups = facts.get("unet", "norm_num_groups", components.GROUPS)
    heads = facts.get("unet", "attention_head_dim", 0) or tuple(
        max(1, width // components.HEAD_WIDTH) for width in widths
    )
    components.must_divide(weights, "unet", "norm_num_groups", groups, widths)
    config = {
        **ldm_unet.config(shapes, groups, heads),
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": SIZE_WIDTH,
        "projection_class_embeddings_input_dim": shapes["add_embedding.linear_1.weight"][1],
    }
    return family, components.network(ldm_unet, config, names, prefix, *components.UNET_ADAPTERS)


def _family(weights: Weights, shapes: ldm_unet.Shapes) -> str:
    """Return the family of a UNet with a vector. Raises ModelError where it is none of ours."""
    depths = tuple(chain.from_iterable(ldm_unet.depths(shapes, "down_blocks")))
    family = DEPTHS.get(depths)
    context, vector = ldm_unet.context_width(shapes), shapes["add_embedding.linear_1.weight"][1]
    pooled = vector - SIZE_WIDTH * len(SIZES[family]) if family else 0
    fits = 0 < pooled < context if family == NAME else pooled == context
    marked = [key for key in OTHER_CLOCKS if key in weights.infos]
    if family is None or not fits or marked or not ldm_unet.is_linear(shapes):
        raise ModelError(
            f"{weights.path.name} is a relative of SDXL that is not known",
            got=", ".join(marked) or f"transformer depths {depths}, a vector of {vector}, a context of {context}",
            expected="SDXL, SDXL refiner, SSD-1B, Vega or KOALA: depths " + ", ".join(map(str, DEPTHS)),
        )
    return family


def chosen(encoders: Sequence[Placed]) -> tuple[Placed, ...] | None:
    """Return SDXL's two encoders, each with its file, as they stand in a checkpoint; None where these are others."""
    found = {encoder.name: (file, encoder) for file, encoder in encoders}
    if found.keys() != {"l", "g"} or len(encoders) != len(found):
        return None
    file, encoder = found["l"]
    return (file, replace(encoder, layer=LAYER, final_norm=False)), found["g"]


TEXT = TextFamily(chosen, "CLIP's L in one file and OpenCLIP's bigG in the other", components.side_by_side)


def _pooled_width(family: str, unet: Network | None) -> int:
    return unet.config["projection_class_embeddings_input_dim"] - SIZE_WIDTH * len(SIZES[family]) if unet else 0


def _text(weights: Weights, facts: Facts) -> tuple[TextEncoder, ...]:
    found = (components.clip_l(weights, (L_PREFIX,), facts, layer=LAYER, final_norm=False), _g(weights))
    return tuple(encoder for encoder in found if encoder)


def _g(weights: Weights) -> TextEncoder | None:
    """Return bigG in OpenCLIP's layout, or in transformers' where it is alone in its file.

    Without the prefix of a checkpoint it is told from other encoders by how many layers it has.
    """
    prefix = components.prefix_of(weights, G_PREFIXES, open_clip.PROBES)
    if prefix is not None:
        names, cuts = open_clip.transformers_names(components.under(weights, prefix))
    else:
        prefix, cuts = "", {}
        names = {name.removeprefix(G_ALONE): name for name in weights.infos if name.startswith((G_ALONE, "text_proj"))}
    if f"encoder.layers.{G_LAYERS - 1}.layer_norm1.weight" not in names and not prefix.startswith("conditioner."):
        return None
    keys = {new: prefix + old for new, old in names.items() if clip_text.TENSOR.fullmatch(new)}
    adapters = (*components.TEXT_ADAPTERS, *G_ADAPTERS) if prefix == G_PREFIXES[1] else G_ADAPTERS
    bare = Network({}, clip_text.build, keys, prefix, adapters, cuts)
    shapes = {name: bare.shape(weights, name) for name in keys}
    config = clip_text.config(shapes, max(1, shapes[clip_text.TOKENS][1] // components.HEAD_WIDTH), "gelu")
    return components.encoder(
        weights, "g", replace(bare, config=config), pad=0, layer=LAYER, final_norm=False, pools=True
    )
