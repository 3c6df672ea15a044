"""The vector that an unCLIP model gets: embeddings of pictures, with noise on them, and how much noise that is.

Ramesh et al. (2022), arXiv 2204.06125. Not compared with the reference.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.errors import ModelError
from nodes.models.weights import Weights

if TYPE_CHECKING:
    from torch import Tensor

MEAN, SPREAD = "noise_augmentor.data_mean", "noise_augmentor.data_std"
LEVELS = 1000
MERGED = 0.05
"""The noise on the sum of several pictures."""

LONGEST_PERIOD = 10_000


def vector(weights: Weights, width: int, pictures: Sequence[Any]) -> "Tensor":
    """Return (1, width) for ``recipes.Unclip`` pictures: zeros without any.

    The noise is the same in every run. Raises ModelError where a picture was encoded by another encoder.
    """
    import torch

    if not pictures:
        return torch.zeros(1, width)
    found: list[Tensor] = [
        _noised(weights, width, embeds, picture.noise_augmentation) * picture.strength
        for picture in pictures
        for embeds in picture.embeds.split(1)
    ]
    if len(found) == 1:
        return found[0]
    dim = pictures[0].embeds.shape[-1]
    return _noised(weights, width, torch.stack(found).sum(0)[:, :dim], MERGED)


def _noised(weights: Weights, width: int, embeds: "Tensor", amount: float) -> "Tensor":
    import torch

    dim = embeds.shape[-1]
    expected = weights.shape(MEAN)[-1] if MEAN in weights.infos else width // 2
    if dim != expected:
        raise ModelError(
            "A picture was encoded by another image encoder than the model was trained with.",
            got=f"embeddings of width {dim}",
            expected=f"width {expected}",
            hint="Encode it with the CLIP_VISION output of unCLIPCheckpointLoader.",
        )
    mean = weights.tensor(MEAN).float() if MEAN in weights.infos else torch.zeros(1, dim)
    spread = weights.tensor(SPREAD).float() if SPREAD in weights.infos else torch.ones(1, dim)
    level = round((LEVELS - 1) * amount)
    signal = _signal(level)
    noise = torch.randn(embeds.shape, generator=torch.Generator().manual_seed(0))
    scaled = (embeds - mean) / spread
    noised = (signal**0.5 * scaled + (1 - signal) ** 0.5 * noise) * spread + mean
    return torch.cat([noised, _clock(level, width - dim)], -1)


def _signal(level: int) -> float:
    """Return the share of the signal's variance at a level of the cosine schedule (Nichol and Dhariwal 2021)."""

    def left(t: float) -> float:
        return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2

    signal = 1.0
    for step in range(level + 1):
        signal *= 1 - min(1 - left((step + 1) / LEVELS) / left(step / LEVELS), 0.999)
    return signal


def _clock(level: int, width: int) -> "Tensor":
    """Return a level as cosines and sines (1, width)."""
    import torch

    half = width // 2
    angles = level * torch.exp(-math.log(LONGEST_PERIOD) * torch.arange(half) / half)
    return torch.cat([angles.cos(), angles.sin()])[None]
