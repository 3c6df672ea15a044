"""Channels of pictures (batch, height, width, channels)."""

import torch
from torch import Tensor


def alike(*images: Tensor) -> list[Tensor]:
    """Return pictures with the same number of channels: those without alpha become opaque where another has it."""
    most = max(image.shape[-1] for image in images)
    return [torch.cat([image, image.new_ones(*image.shape[:-1], most - image.shape[-1])], -1) for image in images]
