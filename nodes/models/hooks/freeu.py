"""FreeU: Si et al. (2023), arXiv 2309.11497. Not compared with the reference."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from nodes.models.hooks import Call, joins
from nodes.network_options import FreeU

THRESHOLD = 1
"""How many frequencies on each side of the lowest one count as low."""


def freeu(option: FreeU) -> Any:
    """Return the hook: what comes up with 4 or 2 times the width of the outermost level is changed before each step."""

    def put(module: Any, call: Call) -> Iterator[RemovableHandle]:
        outermost = module.config.block_out_channels[0]
        scales = {4 * outermost: (option.b1, option.s1), 2 * outermost: (option.b2, option.s2)}
        for resnet, backbone in joins(module):
            if backbone in scales:
                yield resnet.register_forward_pre_hook(_changer(backbone, *scales[backbone], option.by_content))

    return put


def _changer(backbone: int, b: float, s: float, by_content: bool) -> Any:
    def change(_: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        joined, *others = inputs
        h, skip = joined[:, :backbone], joined[:, backbone:]
        return torch.cat([strengthened(h, b, by_content), smoothed(skip, s)], 1), *others

    return change


def strengthened(h: Tensor, b: float, by_content: bool) -> Tensor:
    """Multiply the first half of the channels of (batch, channels, height, width) by b.

    By content it is 1 where the mean of all channels is lowest, and b where it is highest.
    """
    factor: Tensor | float = b
    if by_content:
        mean = h.mean(1, keepdim=True)
        lowest, highest = mean.amin((2, 3), keepdim=True), mean.amax((2, 3), keepdim=True)
        factor = (b - 1) * (mean - lowest) / (highest - lowest).clamp(min=1e-12) + 1
    half = h.shape[1] // 2
    return torch.cat([h[:, :half] * factor, h[:, half:]], 1)


def smoothed(skip: Tensor, s: float) -> Tensor:
    """Multiply the low frequencies of (batch, channels, height, width) by s."""
    spectrum = torch.fft.fftshift(torch.fft.fft2(skip.float()), dim=(-2, -1))
    rows, columns = (side // 2 for side in skip.shape[-2:])
    low = (
        ...,
        slice(max(0, rows - THRESHOLD), rows + THRESHOLD),
        slice(max(0, columns - THRESHOLD), columns + THRESHOLD),
    )
    spectrum[low] *= s
    filtered: Tensor = torch.fft.ifft2(torch.fft.ifftshift(spectrum, dim=(-2, -1))).real
    return filtered.to(skip.dtype)
