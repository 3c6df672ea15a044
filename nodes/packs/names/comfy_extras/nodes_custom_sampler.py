"""Sampling in parts: the module ``comfy_extras.nodes_custom_sampler``, whose classes are our nodes."""

from typing import Any

from nodes.packs.names.extras import classes_of
from nodes.packs.objects.guider import CFGGuider
from nodes.packs.objects.noise import EmptyNoise as Noise_EmptyNoise
from nodes.packs.objects.noise import RandomNoise as Noise_RandomNoise

__all__ = ["Guider_Basic", "Noise_EmptyNoise", "Noise_RandomNoise"]
__getattr__ = classes_of(__name__)


class Guider_Basic(CFGGuider):
    """A guider with one prompt."""

    def set_conds(self, positive: Any, negative: Any = None) -> None:
        """Set the prompt."""
        super().set_conds(positive)
