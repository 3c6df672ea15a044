"""A diffusion network as a function."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nodes.models.families.checkpoint import LatentFormat, Network, Prediction
from nodes.models.streaming import Stream
from nodes.sampling.guidance import CONTEXT

VECTOR = ("text_embeds", "time_ids")
"""The inputs that diffusers makes a vector of, beside the timestep."""

LABELS = "class_labels"
"""The input that is such a vector already."""

RESIDUALS = (
    "down_block_additional_residuals", "mid_block_additional_residual", "down_intrablock_additional_residuals"
)  # fmt: skip
"""The inputs that are added to what blocks of a UNet give."""


@dataclass(frozen=True, slots=True, eq=False)
class Unet:
    """A UNet, or another diffusion network, with what a sampler has to know of it.

    It computes in ``dtype``. With a ``stream`` some of its blocks come when they are called.
    """

    module: nn.Module
    prediction: Prediction
    latent: LatentFormat
    network: Network
    dtype: torch.dtype
    stream: Stream | None = None

    @property
    def device(self) -> torch.device:
        return self.stream.device if self.stream else next(self.module.parameters()).device

    def __call__(self, x: Tensor, timestep: Tensor, inputs: Mapping[str, Any]) -> Tensor:
        """Return the network's raw prediction, float32, of the shape of ``x``.

        ``x`` (B, channels, h, w) is scaled as the network wants it, and so is ``timestep`` (B,), 0 to 999 for UNets.
        ``inputs`` are those of guidance: ``context`` (B, tokens, width), and what else the family knows.
        """
        call = self.network.call or _as_unet
        return call(self.module, x.to(self.dtype), timestep, inputs).float().contiguous()


def _as_unet(module: nn.Module, x: Tensor, timestep: Tensor, inputs: Mapping[str, Any]) -> Tensor:
    """Call a UNet of diffusers."""
    added = vector(inputs, x.dtype) | {name: inputs[name] for name in RESIDUALS if name in inputs}
    prediction: Tensor = module(laid_out(x), timestep, inputs[CONTEXT].to(x.dtype), return_dict=False, **added)[0]
    return prediction


def laid_out(x: Tensor) -> Tensor:
    """Return pictures (B, channels, h, w) with the channels of a cell side by side in memory: convolutions like that.

    What a network makes of them on the way is laid out in the same way. Others are returned as they are.
    """
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def vector(inputs: Mapping[str, Any], dtype: torch.dtype) -> dict[str, Any]:
    """Return the argument of diffusers' networks that holds the inputs for their vector, if there are any.

    Such a vector as it is has to be in the ``dtype`` of the network.
    """
    found = {name: inputs[name] for name in VECTOR if name in inputs}
    labels = {LABELS: inputs[LABELS].to(dtype)} if LABELS in inputs else {}
    return {"added_cond_kwargs": found, **labels} if found else labels
