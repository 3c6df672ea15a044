"""What inpainting and editing UNets get beside x: more channels than the latent has, cell by cell."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from engine.errors import InputError
from nodes.models.families.checkpoint import LatentFormat
from nodes.pixels.resize import cycled, fitted
from nodes.sampling.inpaint import latent_mask


def beside(
    options: Mapping[str, Any], channels: int, form: LatentFormat, latent: Tensor, mask: Tensor | None
) -> Tensor:
    """Return the ``channels`` that a network takes after those of a latent like ``latent``, (batch, channels, ...).

    One more than the latent has: an inpainting model, which gets the mask, rounded, and the latent of the picture
    without what it hides, in the model's scale. As many: an editing model, which gets the latent of the picture as the
    VAE gave it. They are ``concat_mask`` and ``concat_latent_image`` of the options, or else what is sampled itself.

    Raises:
        InputError: an inpainting model without a mask, or a network with another number of channels.
    """
    picture = options.get("concat_latent_image")
    if channels == form.channels:
        return torch.zeros_like(latent) if picture is None else _laid(picture, latent)
    hidden = mask if options.get("concat_mask") is None else latent_mask(options["concat_mask"], latent)
    if hidden is None or channels != form.channels + 1:
        raise InputError(
            "The model takes more channels than the latent has.",
            got="no mask" if hidden is None else f"a model that wants {channels} more channels",
            expected="an inpainting model with a mask, or an editing model",
            hint="Make the latent with VAEEncodeForInpaint, or go through InpaintModelConditioning.",
        )
    shown = latent if picture is None else _laid((picture.float() - form.shift) * form.scale, latent)
    return torch.cat([hidden.round(), shown], dim=1)


def _laid(picture: Tensor, latent: Tensor) -> Tensor:
    return cycled(fitted(picture, latent), len(latent)).to(latent)
