"""Flux.1 (Black Forest Labs 2024): a rectified flow by a transformer over 2 x 2 patches of a latent of 16 channels.

Double blocks attend to text and picture with weights of their own, single blocks with the same ones. Text comes from
T5; CLIP's L gives one vector beside it. The dev model is distilled to follow a guidance scale that it is told, so it
runs without a negative prompt; schnell is not told one. Kontext is dev that also sees pictures, as tokens behind those
of the latent (Black Forest Labs 2025, arXiv 2506.15742). Not compared with the reference.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from engine.errors import InputError
from nodes.models.families import components, flux_transformer, t5
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

NAME = "flux"
PREFIXES = ("model.diffusion_model.", "diffusion_model.", "")
L_PREFIX = "text_encoders.clip_l.transformer.text_model."

ADAPTERS = ("lora_unet_", "lycoris_", "transformer.", "lora_transformer_", "diffusion_model.", "")
"""What LoRA files put before the name of a module of the transformer."""

LENGTH = 256
"""The fewest tokens that T5 gives."""

DEV, SCHNELL = Defaults(1024, 1024, 20, 1.0), Defaults(1024, 1024, 4, 1.0)
GUIDANCE = 3.5

MU = 1.15
"""The shift of the dev model's levels towards noise, as its logarithm, for pictures of 1024 x 1024."""

RGB = (
    (-0.0412, 0.0149, 0.0521), (0.0056, 0.0291, 0.0768), (0.0342, -0.0681, -0.0427), (-0.0258, 0.0092, 0.0463),
    (0.0863, 0.0784, 0.0547), (-0.0017, 0.0402, 0.0158), (0.0501, 0.1058, 0.1152), (-0.0209, -0.0218, -0.0329),
    (-0.0314, 0.0083, 0.0896), (0.0851, 0.0665, -0.0472), (-0.0534, 0.0238, -0.0024), (0.0452, -0.0026, 0.0048),
    (0.0892, 0.0831, 0.0881), (-0.1117, -0.0304, -0.0789), (0.0027, -0.0479, -0.0043), (-0.1146, -0.0827, -0.0598),
)  # fmt: skip
"""Latents of Flux to colour: a linear fit published with InvokeAI (Apache-2.0)."""

LATENT = LatentFormat(16, 8, 0.3611, RGB, shift=0.1159, space=NAME)


def detect(weights: Weights) -> Checkpoint | None:
    """Return what a file holds where it is of this family, reading nothing but its header."""
    prefix = components.prefix_of(weights, PREFIXES, flux_transformer.PROBES)
    prefix = components.prefix_of(weights, PREFIXES, flux_transformer.DIFFUSERS) if prefix is None else prefix
    if prefix is None:
        return None
    unet, facts = _network(weights, prefix), Facts(weights.metadata)
    is_guided = unet.config["guidance_embeds"]
    vae = components.vae(weights, facts)
    return Checkpoint(
        family=NAME,
        prediction="flow",
        levels=dev_levels if is_guided else schnell_levels,
        latent=components.latent_format(unet, vae, facts, LATENT, flux_transformer.PATCH**2),
        defaults=facts.defaults(DEV if is_guided else SCHNELL),
        unet=unet,
        vae=vae,
        text=_text(weights, facts),
        inputs=partial(inputs, unet.config["pooled_projection_dim"], is_guided),
    )


def _network(weights: Weights, prefix: str) -> Network:
    names, cuts = flux_transformer.diffusers_names(components.under(weights, prefix))
    keys = {new: prefix + old for new, old in names.items()}
    bare = Network({}, flux_transformer.build, keys, prefix, ADAPTERS, cuts)
    config = flux_transformer.config({name: bare.shape(weights, name) for name in keys})
    return replace(
        bare,
        config=config,
        originals={} if "x_embedder.weight" in names.values() else names,
        channels=config["in_channels"] // flux_transformer.PATCH**2,
        context=config["joint_attention_dim"],
        call=flux_transformer.call,
        working=flux_transformer.working,
        keeps=True,
    )


def _text(weights: Weights, facts: Facts) -> tuple[TextEncoder, ...]:
    pooling = components.clip_l(weights, (L_PREFIX,), facts, layer=-1, final_norm=True)
    reading = t5.encoder(weights, LENGTH)
    return (components.unprojected(pooling), reading) if pooling and reading else ()


def inputs(
    pooled_width: int, is_guided: bool, cond: "Cond", shape: Sequence[int], is_negative: bool
) -> Mapping[str, Any]:
    """Return what the network gets for a prompt: context, pooled vector, guidance, and latents that it refers to.

    A guidance of None leaves out what tells the network of it.

    Raises:
        ModelError: the prompt has no pooled vector, or one of another width.
        InputError: a latent that it refers to is of another family.
    """
    import torch

    found: dict[str, Any] = {"context": cond.context, "pooled": components.pooled(cond, pooled_width)}
    guidance = cond.options.get("guidance", GUIDANCE)
    if is_guided and guidance is not None:
        found["guidance"] = torch.tensor([float(guidance)])
    if referred := cond.options.get("reference_latents", ()):
        found[flux_transformer.METHOD] = cond.options.get("reference_latents_method", "offset")
    for place, latent in enumerate(referred):
        if latent.ndim != 4 or latent.shape[1] != LATENT.channels:
            raise InputError(
                "A latent that the prompt refers to is not of the model's family.",
                input="positive" if not is_negative else "negative",
                got=f"a latent of shape {tuple(latent.shape)}",
                expected=f"(batch, {LATENT.channels}, height, width)",
                hint="Make it with the VAE that belongs to the model.",
            )
        found[f"{flux_transformer.REFERENCE}{place}"] = (latent.float() - LATENT.shift) * LATENT.scale
    return found


@cache
def dev_levels() -> "NoiseLevels":
    """Return the levels of the dev model: 10,000, shifted towards noise. The network is told the level itself."""
    from nodes.sampling.noise_levels import FlowLevels

    return FlowLevels(math.exp(MU), multiplier=1.0, steps=10_000)


@cache
def schnell_levels() -> "NoiseLevels":
    """Return the levels of schnell: 1000 even ones."""
    from nodes.sampling.noise_levels import FlowLevels

    return FlowLevels(1.0, multiplier=1.0)


def chosen(encoders: Sequence[Placed]) -> tuple[Placed, ...] | None:
    """Return Flux's two encoders, each with its file, as they stand in a checkpoint; None where these are others."""
    found = {encoder.name: (file, encoder) for file, encoder in encoders}
    if found.keys() != {"l", t5.NAME} or len(encoders) != len(found):
        return None
    (l_file, pooling), (t5_file, reading) = found["l"], found[t5.NAME]
    return (l_file, components.unprojected(pooling)), (t5_file, replace(reading, length=LENGTH))


def joined(outputs: Mapping[str, Encoded]) -> Encoded:
    """Return T5's context with the vector that CLIP's L pooled."""
    return Encoded(outputs[t5.NAME].context, outputs["l"].pooled)


TEXT = TextFamily(chosen, "CLIP's L in one file and T5-XXL in the other", joined)
