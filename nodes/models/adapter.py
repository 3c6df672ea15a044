"""A T2I-Adapter as a function."""

from dataclasses import dataclass

from torch import Tensor, nn

from nodes.pixels.resize import resize

FACTOR = 8
"""Pixels of the picture per cell of the latent."""


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """A T2I-Adapter, built and on its device."""

    module: nn.Module

    def __call__(self, x: Tensor, picture: Tensor) -> list[Tensor]:
        """Return what to add to each level of a UNet that gets ``x``, for a picture (B, channels, H, W), 0 to 1.

        The picture is resized to what ``x`` covers, cut to its proportions: nearest neighbour, as for ControlNets.
        """
        dtype = next(self.module.parameters()).dtype
        height, width = (side * FACTOR for side in x.shape[-2:])
        features: list[Tensor] = self.module(resize(picture, width, height, "nearest-exact", "center").to(dtype))
        return features
