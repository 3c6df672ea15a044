"""A ControlNet as a function."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from nodes.models.streaming import Stream
from nodes.models.unet import laid_out
from nodes.pixels.resize import resize


@dataclass(frozen=True, slots=True, eq=False)
class Controlnet:
    """A ControlNet, built and on its device. ``factor`` is pixels of the picture per cell of the latent.

    With a ``stream`` some of its blocks come when they are called. One that ``is_union`` is told the ``type`` of its
    picture, which may be None.
    """

    module: nn.Module
    factor: int
    stream: Stream | None = None
    is_union: bool = False
    type: int | None = None

    def __call__(
        self, x: Tensor, timestep: Tensor, context: Tensor, picture: Tensor, added: Mapping[str, Any] | None = None
    ) -> tuple[list[Tensor], Tensor]:
        """Return what to add to the skips of the UNet, outermost first, and to its middle.

        ``x``, ``timestep``, ``context`` and ``added`` are what the UNet gets; ``picture`` is (B, channels, H, W), 0 to
        1. It is resized to what ``x`` covers, cut to its proportions: nearest neighbour, as people's pictures were.
        """
        dtype = next(self.module.parameters()).dtype
        height, width = (side * self.factor for side in x.shape[-2:])
        hint = resize(picture, width, height, "nearest-exact", "center")
        shown: Any = laid_out(hint.to(dtype))
        more = dict(added or {})
        if self.is_union:
            shown, more["class_labels"] = (shown, self.type), (self.type, shown)
        skips, middle = self.module(
            laid_out(x.to(dtype)), timestep, context.to(dtype), shown, return_dict=False, **more
        )
        return skips, middle
