"""Encoded prompts as guidance takes them: what the network gets beside x, and where and when it counts."""

from typing import Any, cast

from torch import Tensor

from engine.errors import ModelError
from nodes.models.region import region
from nodes.models.unet import Unet
from nodes.recipes import Cond, Conditioning
from nodes.sampling.guidance import Part
from nodes.sampling.noise_levels import NoiseLevels


def parts(conditioning: Conditioning, unet: Unet, x: Tensor, levels: NoiseLevels) -> tuple[Part, ...]:
    """Return a part for each encoded prompt, for latents like ``x``.

    Raises:
        ModelError: a prompt was encoded for another family.
        InputError: an area lies outside the latent.
    """
    return tuple(Part(_inputs(cond, unet), region(cond.options, x, levels)) for cond in conditioning.entries)


def _inputs(cond: Cond, unet: Unet) -> dict[str, Any]:
    width = cast(Any, unet.module).config.cross_attention_dim
    if cond.context.shape[-1] != width:
        raise ModelError(
            "A prompt was encoded for another family of models.",
            got=f"width {cond.context.shape[-1]}",
            expected=f"width {width}",
            hint="Encode it with the text encoder that belongs to the model.",
        )
    return {"context": cond.context.to(unet.device)}
