"""Masks: the module ``comfy_extras.nodes_mask``, whose classes are our nodes."""

from torch import Tensor

from nodes.packs.names.extras import classes_of
from nodes.pixels import paste, resize
from nodes.sampling.regions import resized_mask

__getattr__ = classes_of(__name__)


def composite(
    destination: Tensor,
    source: Tensor,
    x: int,
    y: int,
    mask: Tensor | None = None,
    multiplier: int = 8,
    resize_source: bool = False,
) -> Tensor:
    """Return pictures or latents (batch, channels, height, width) with others over them, where a mask is bright.

    Places are in pixels, of which one cell has ``multiplier``. What hangs over a border is cut off. The mask
    (batch, height, width) is resized to the source.
    """
    if resize_source:
        source = resize.resize(source, destination.shape[-1], destination.shape[-2], "bilinear")
    left, top = x // multiplier, y // multiplier
    share = None if mask is None else resized_mask(mask.reshape(-1, *mask.shape[-2:]), *source.shape[-2:])[:, None]
    inside = (..., slice(max(0, -top), None), slice(max(0, -left), None))
    share = None if share is None else share[inside]
    return paste.paste(destination, source[inside], max(0, left), max(0, top), share)
