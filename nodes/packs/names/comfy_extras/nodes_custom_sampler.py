"""Sampling in parts: the module ``comfy_extras.nodes_custom_sampler``, whose classes are our nodes."""

from typing import Any

from nodes.packs.names.extras import classes_of
from nodes.packs.objects import to_foreign
from nodes.recipes import NoiseSource

__getattr__ = classes_of(__name__)


def Noise_RandomNoise(seed: int) -> Any:
    """Return the noise of a seed, as foreign nodes have it."""
    return to_foreign("NOISE", NoiseSource(seed))


def Noise_EmptyNoise() -> Any:
    """Return noise that leaves a latent as it is, as foreign nodes have it."""
    return to_foreign("NOISE", NoiseSource(0, starts=False))
