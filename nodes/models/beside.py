"""What inpainting and editing UNets get beside x: more channels than the latent has, cell by cell."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from engine.errors import InputError
from nodes.models.families.checkpoint import LatentFormat
from nodes.pixels.resize import cycled, fitted
from nodes.sampling.inpaint import latent_mask
from nodes.sampling.regions import resized_mask


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


def packed(
    options: Mapping[str, Any], channels: int, form: LatentFormat, latent: Tensor, mask: Tensor | None
) -> Tensor:
    """Return the ``channels`` that a transformer takes after those of a latent, where it is made to edit.

    First come those of a picture, in the model's scale; a network that fills gets the mask after it, with a channel
    for each pixel of a cell. Without a picture it is empty, without a mask everything is filled.

    Raises:
        InputError: the network wants another number of channels.
    """
    picture = options.get("concat_latent_image")
    shown = torch.zeros_like(latent) if picture is None else _laid(picture.float(), latent)
    shown = (shown - form.shift) * form.scale
    if channels == form.channels:
        return shown
    if channels != form.channels + form.factor**2:
        raise InputError(
            "The model takes more channels than the latent has.",
            got=f"a model that wants {channels} more channels",
            expected=f"{form.channels}, or {form.channels + form.factor**2} with a mask",
        )
    hidden = options.get("concat_mask", mask)
    if hidden is None:
        hidden = torch.ones(1, 1, 1, 1)
    height, width = latent.shape[-2:]
    pixels = resized_mask(hidden.reshape(-1, *hidden.shape[-2:]).to(latent), height * form.factor, width * form.factor)
    cells = pixels.view(-1, height, form.factor, width, form.factor).permute(0, 2, 4, 1, 3)
    return torch.cat([shown, cycled(cells.reshape(-1, form.factor**2, height, width), len(latent))], dim=1)


def _laid(picture: Tensor, latent: Tensor) -> Tensor:
    return cycled(fitted(picture, latent), len(latent)).to(latent)
