"""A ControlNet as a function."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True, slots=True, eq=False)
class Controlnet:
    """A ControlNet, built and on its device."""

    module: nn.Module

    def __call__(
        self, x: Tensor, timestep: Tensor, context: Tensor, hint: Tensor, added: Mapping[str, Any] | None = None
    ) -> tuple[list[Tensor], Tensor]:
        """Return what to add to the skips of the UNet, outermost first, and to its middle.

        ``x``, ``timestep``, ``context`` and ``added`` are what the UNet gets; ``hint`` (B, 3, H, W), 0 to 1, has the
        size of the picture.
        """
        dtype = next(self.module.parameters()).dtype
        skips, middle = self.module(
            x.to(dtype), timestep, context.to(dtype), hint.to(dtype), return_dict=False, **(added or {})
        )
        return skips, middle
