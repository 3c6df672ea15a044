"""A diffusion UNet as a function."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nodes.models.families.checkpoint import LatentFormat, Prediction
from nodes.models.streaming import Stream

VECTOR = ("text_embeds", "time_ids")
"""The inputs that diffusers makes a vector of, beside the timestep."""

LABELS = "class_labels"
"""The input that is such a vector already."""


@dataclass(frozen=True, slots=True, eq=False)
class Unet:
    """A UNet with what a sampler has to know of it. With a ``stream`` some of its blocks come when they are called."""

    module: nn.Module
    prediction: Prediction
    latent: LatentFormat
    stream: Stream | None = None

    @property
    def device(self) -> torch.device:
        return self.stream.device if self.stream else next(self.module.parameters()).device

    def __call__(self, x: Tensor, timestep: Tensor, context: Tensor, added: Mapping[str, Any] | None = None) -> Tensor:
        """Return the network's raw prediction, float32, of the shape of ``x``.

        ``x`` (B, channels, h, w) is scaled to unit variance, ``timestep`` (B,) counts 0 to 999, ``context`` is
        (B, tokens, width). ``added`` goes to the module as it is, by name (``added_cond_kwargs``, residuals ...).
        """
        dtype = next(self.module.parameters()).dtype
        out = self.module(laid_out(x.to(dtype)), timestep, context.to(dtype), return_dict=False, **(added or {}))
        prediction: Tensor = out[0]
        return prediction.float().contiguous()


def laid_out(x: Tensor) -> Tensor:
    """Return pictures (B, channels, h, w) with the channels of a cell side by side in memory: convolutions like that.

    What a network makes of them on the way is laid out in the same way. Others are returned as they are.
    """
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def vector(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the argument of diffusers' networks that holds the inputs for their vector, if there are any."""
    found = {name: inputs[name] for name in VECTOR if name in inputs}
    labels = {LABELS: inputs[LABELS]} if LABELS in inputs else {}
    return {"added_cond_kwargs": found, **labels} if found else labels
