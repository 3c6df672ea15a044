"""Stable Diffusion 3 and 3.5 (Esser et al. 2024, arXiv 2403.03206): a rectified flow by a transformer, MMDiT.

Text and picture have weights of their own in every block and attend to each other. Text comes from up to three
encoders: CLIP's L and OpenCLIP's bigG side by side, then T5 behind them; both of CLIP's also give the pooled vector.
Not compared with the reference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from engine.errors import InputError
from nodes.models.families import clip_text, components, sd3_transformer, t5
from nodes.models.families.checkpoint import (
    Checkpoint,
    Defaults,
    Encoded,
    LatentFormat,
    Network,
    Placed,
    TextEncoder,
    TextFamily,
)
from nodes.models.families.facts import Facts
from nodes.models.weights import Weights

if TYPE_CHECKING:
    from nodes.recipes import Cond
    from nodes.sampling.noise_levels import NoiseLevels

NAME = "sd3"
PREFIXES = ("model.diffusion_model.", "diffusion_model.", "")
L_PREFIX = "text_encoders.clip_l.transformer.text_model."
G_PREFIX = "text_encoders.clip_g.transformer."

ADAPTERS = ("lora_unet_", "lycoris_", "transformer.", "lora_transformer_", "diffusion_model.", "")
"""What LoRA files put before the name of a module of the transformer."""

G_ADAPTERS = (
    "lora_te2_text_model_", "text_encoder_2.text_model.", "text_encoder_2.", *components.saved_adapters("g")
)  # fmt: skip
"""What they put before the name of a module of bigG."""

LAYER = -2
"""The hidden state of CLIP's encoders that is taken, without a norm."""

CONTEXT, L_WIDTH, G_WIDTH = 4096, 768, 1280
"""Widths of the context, and of what the encoders of CLIP give: what stands in for one that is not there."""

SHIFT = 3.0
DEFAULTS = Defaults(1024, 1024, 28, 4.5)

RGB = (
    (-0.0524, 0.0325, 0.0749), (-0.0581, 0.0076, 0.0573), (0.1614, 0.0127, -0.0377), (0.1442, 0.0846, 0.1594),
    (0.0489, 0.0056, -0.0669), (0.0519, 0.1922, 0.0626), (0.1539, 0.0482, 0.0710), (-0.0860, 0.0901, 0.1089),
    (-0.1240, -0.0677, 0.0034), (-0.0440, 0.0783, 0.0226), (0.0310, 0.0638, 0.0775), (-0.0132, 0.0855, -0.0877),
    (0.0646, 0.0591, 0.1326), (-0.0786, -0.0226, -0.1276), (-0.0992, -0.0801, -0.0626), (-0.0339, -0.0804, -0.0608),
)  # fmt: skip
"""Latents of SD 3.5 to colour: a linear fit published with InvokeAI (Apache-2.0)."""

LATENT = LatentFormat(16, 8, 1.5305, RGB, shift=0.0609, space=NAME)


def detect(weights: Weights) -> Checkpoint | None:
    """Return what a file holds where it is of this family, reading nothing but its header."""
    prefix = components.prefix_of(weights, PREFIXES, sd3_transformer.PROBES)
    prefix = components.prefix_of(weights, PREFIXES, sd3_transformer.DIFFUSERS) if prefix is None else prefix
    if prefix is None:
        return None
    unet, facts = _network(weights, prefix), Facts(weights.metadata)
    vae = components.vae(weights, facts)
    return Checkpoint(
        family=NAME,
        prediction="flow",
        levels=levels,
        latent=components.latent_format(unet, vae, facts, LATENT),
        defaults=facts.defaults(DEFAULTS),
        unet=unet,
        vae=vae,
        text=_text(weights, facts),
        inputs=partial(inputs, unet.config),
    )


def _network(weights: Weights, prefix: str) -> Network:
    names, cuts = sd3_transformer.diffusers_names(components.under(weights, prefix))
    keys = {new: prefix + old for new, old in names.items()}
    bare = Network({}, sd3_transformer.build, keys, prefix, ADAPTERS, cuts)
    config = sd3_transformer.config({name: bare.shape(weights, name) for name in keys})
    return replace(
        bare,
        config=config,
        originals={} if "pos_embed.proj.weight" in names.values() else names,
        channels=config["in_channels"],
        context=config["joint_attention_dim"],
        call=sd3_transformer.call,
        working=sd3_transformer.working,
        keeps=True,
    )


def _text(weights: Weights, facts: Facts) -> tuple[TextEncoder, ...]:
    small = components.clip_l(weights, (L_PREFIX,), facts, layer=LAYER, final_norm=False)
    found = (components.unprojected(small) if small else None, _g(weights), t5.encoder(weights, t5.LENGTH))
    return tuple(encoder for encoder in found if encoder)


def _g(weights: Weights) -> TextEncoder | None:
    found = {name.removeprefix("text_model."): name for name in components.under(weights, G_PREFIX)}
    names = {new: old for new, old in found.items() if clip_text.TENSOR.fullmatch(new)}
    if clip_text.TOKENS not in names:
        return None
    bare = Network({}, clip_text.build, {new: G_PREFIX + old for new, old in names.items()}, G_PREFIX, G_ADAPTERS)
    shapes = {name: weights.shape(key) for name, key in bare.keys.items()}
    config = clip_text.config(shapes, max(1, shapes[clip_text.TOKENS][1] // components.HEAD_WIDTH), "gelu")
    made = replace(bare, config=config)
    return components.encoder(weights, "g", made, pad=0, layer=LAYER, final_norm=False, pools=True)


def inputs(config: Mapping[str, Any], cond: "Cond", shape: Sequence[int], is_negative: bool) -> Mapping[str, Any]:
    """Return what the network gets for a prompt: context and pooled vector.

    Raises:
        ModelError: the prompt has no pooled vector, or one of another width.
        InputError: the latent (..., h, w) is larger than the table of places.
    """
    most = config["pos_embed_max_size"] * config["patch_size"]
    if max(shape[-2:]) > most:
        raise InputError(
            "The picture is larger than the model knows places for.",
            input="latent_image",
            got=f"{shape[-1] * LATENT.factor} x {shape[-2] * LATENT.factor} pixels",
            expected=f"sides of at most {most * LATENT.factor} pixels",
        )
    return {"context": cond.context, "pooled": components.pooled(cond, config["pooled_projection_dim"])}


@cache
def levels() -> "NoiseLevels":
    """Return the levels of SD3: 1000, shifted towards noise. The network is told 1000 times the level."""
    from nodes.sampling.noise_levels import FlowLevels

    return FlowLevels(SHIFT)


def chosen(encoders: Sequence[Placed]) -> tuple[Placed, ...] | None:
    """Return those of SD3's three encoders that are there, each with its file; None where there are others."""
    found = {encoder.name: (file, encoder) for file, encoder in encoders}
    if not found or not found.keys() <= {"l", "g", t5.NAME} or len(encoders) != len(found):
        return None
    taken = []
    for name in ("l", "g", t5.NAME):
        if name in found:
            file, encoder = found[name]
            taken.append((file, _as_here(encoder)))
    return tuple(taken)


def _as_here(encoder: TextEncoder) -> TextEncoder:
    if encoder.name == t5.NAME:
        return replace(encoder, length=t5.LENGTH)
    encoder = replace(encoder, layer=LAYER, final_norm=False)
    return components.unprojected(encoder) if encoder.name == "l" else encoder


def joined(outputs: Mapping[str, Encoded]) -> Encoded:
    """Return the contexts of CLIP's encoders side by side, filled to the width of T5's, with T5's behind them.

    Of an encoder that is not there context and pooled vector are zero, and of T5 there is nothing.
    """
    import torch
    from torch.nn.functional import pad

    small, large, reading = (outputs.get(name) for name in ("l", "g", t5.NAME))
    width = reading.context.shape[-1] if reading else CONTEXT
    contexts = [reading.context] if reading else []
    pair = {"l": small, "g": large}
    there = {name: output for name, output in pair.items() if output}
    if there:
        both = components.side_by_side(there).context
        before = 0 if small else L_WIDTH
        contexts.insert(0, pad(both, (before, width - before - both.shape[-1])))
    pooled = [
        torch.zeros(1, missing) if output is None or output.pooled is None else output.pooled
        for output, missing in ((small, L_WIDTH), (large, G_WIDTH))
    ]
    context = torch.cat(contexts, 1) if contexts else torch.zeros(1, t5.LENGTH, CONTEXT)
    return Encoded(context, torch.cat(pooled, -1))


TEXT = TextFamily(
    chosen, "CLIP's L, OpenCLIP's bigG and T5-XXL, or some of them, each in a file of its own", joined, is_partial=True
)
