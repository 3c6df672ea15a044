"""Encoded prompts as guidance takes them, and the network as guidance calls it.

The two halves of one seam: what ``_inputs`` puts into a part, ``network`` hands to the UNet. ControlNets come in
between, see ``control``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from engine.errors import ModelError
from nodes.models import control
from nodes.models.beside import beside
from nodes.models.region import region
from nodes.models.unet import Unet
from nodes.recipes import Cond, Conditioning
from nodes.sampling.guidance import CONCAT, CONTEXT, Part
from nodes.sampling.noise_levels import NoiseLevels
from nodes.sampling.prediction import Network


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """What a run works on: ``latent`` (batch, channels, ..., height, width) in the model's scale, on its device, and
    ``mask`` (batch, 1, ..., height, width) where only a part of it is sampled."""

    latent: Tensor
    mask: Tensor | None = None


def parts(conditioning: Conditioning, unet: Unet, canvas: Canvas, levels: NoiseLevels) -> tuple[Part, ...]:
    """Return a part for each encoded prompt.

    Raises:
        ModelError: a prompt was encoded for another family.
        InputError: an area lies outside the latent, or a picture that the network wants beside x is not there.
    """
    return tuple(
        Part(_inputs(cond, unet, canvas), region(cond.options, canvas.latent, levels)) for cond in conditioning.entries
    )


def _inputs(cond: Cond, unet: Unet, canvas: Canvas) -> dict[str, Any]:
    config = cast(Any, unet.module).config
    width = config.cross_attention_dim
    if cond.context.shape[-1] != width:
        raise ModelError(
            "A prompt was encoded for another family of models.",
            got=f"width {cond.context.shape[-1]}",
            expected=f"width {width}",
            hint="Encode it with the text encoder that belongs to the model.",
        )
    inputs = {CONTEXT: cond.context.to(unet.device)}
    if config.in_channels > unet.latent.channels:
        channels = config.in_channels - unet.latent.channels
        inputs[CONCAT] = beside(cond.options, channels, unet.latent, canvas.latent, canvas.mask)
    return inputs


def network(unet: Unet) -> Network:
    """Return the UNet as a function of x, timestep and the inputs of parts."""

    def call(x: Tensor, timestep: Tensor, inputs: Mapping[str, Any]) -> Tensor:
        residuals = control.residuals(x, timestep, inputs)
        if CONCAT in inputs:
            x = torch.cat([x, inputs[CONCAT].to(x)], dim=1)
        return unet(x, timestep, inputs[CONTEXT], residuals)

    return call
