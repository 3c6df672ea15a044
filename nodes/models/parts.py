"""Encoded prompts as guidance takes them, and the network as guidance calls it.

The two halves of one seam: what ``_inputs`` puts into a part, ``network`` hands to the UNet. ControlNets come in
between, see ``control``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.errors import ModelError
from nodes.models import control
from nodes.models.beside import beside, packed
from nodes.models.compiled import as_written
from nodes.models.families.checkpoint import Inputs
from nodes.models.hooks import HOOKS, hooked
from nodes.models.region import region
from nodes.models.unet import Unet, vector
from nodes.recipes import Cond, Conditioning
from nodes.sampling.guidance import CONCAT, Part
from nodes.sampling.noise_levels import NoiseLevels
from nodes.sampling.prediction import Network
from nodes.weight_hooks import hooks_of


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What a run works with and on.

    ``inputs`` are the family's, ``levels`` the model's; ``latent`` (batch, channels, ..., height, width) is in the
    model's scale and on its device, ``mask`` (batch, 1, ..., height, width) there where only a part of it is sampled.
    """

    unet: Unet
    inputs: Inputs
    levels: NoiseLevels
    latent: Tensor
    mask: Tensor | None = None


def parts(conditioning: Conditioning, work: Work, is_negative: bool) -> tuple[Part, ...]:
    """Return a part for each encoded prompt.

    Raises:
        ModelError: a prompt was encoded for another family.
        InputError: an area lies outside the latent, or a picture that the network wants beside x is not there.
    """
    return tuple(
        Part(
            _inputs(cond, work, is_negative),
            region(cond.options, work.latent, work.levels),
            weights=hooks_of(cond.options),
            fills=bool(cond.options.get("default")),
            is_joint=work.unet.network.call is not None,
        )
        for cond in conditioning.entries
    )


def _inputs(cond: Cond, work: Work, is_negative: bool) -> dict[str, Any]:
    unet, width = work.unet, work.unet.network.context
    if cond.context.shape[-1] != width:
        raise ModelError(
            "A prompt was encoded for another family of models.",
            got=f"width {cond.context.shape[-1]}",
            expected=f"width {width}",
            hint="Encode it with the text encoder that belongs to the model.",
        )
    given = work.inputs(cond, work.latent.shape, is_negative)
    inputs = {name: value.to(unet.device) if torch.is_tensor(value) else value for name, value in given.items()}
    channels = unet.network.channels - unet.latent.channels
    if channels > 0:
        show = packed if unet.network.call else beside
        inputs[CONCAT] = show(cond.options, channels, unet.latent, work.latent, work.mask)
    return inputs


def network(unet: Unet) -> Network:
    """Return the UNet as a function of x, timestep and the inputs of parts."""

    def call(x: Tensor, timestep: Tensor, inputs: Mapping[str, Any]) -> Tensor:
        residuals = control.residuals(x, timestep, inputs, vector(inputs, unet.dtype))
        if CONCAT in inputs:
            x = torch.cat([x, inputs[CONCAT].to(x)], dim=1)
        hooks = inputs.get(HOOKS, ())
        if hooks and unet.network.call:
            raise ModelError(
                "An option of the model reaches into a UNet, and its network is none.",
                got="a transformer",
                expected="a model of Stable Diffusion 1, 2 or XL",
                hint="Leave out the node that patches the model.",
            )
        with as_written(bool(hooks)), hooked(unet.module, hooks, x):
            return unet(x, timestep, {**inputs, **residuals})

    return call
