"""Pictures side by side."""

import torch
from torch import Tensor


def grid(pictures: Tensor, columns: int) -> Tensor:
    """Lay pictures (n, 3, height, width) in -1 to 1 out in rows. Returns uint8 (rows * height, columns * width, 3)."""
    missing = -len(pictures) % columns
    filled = torch.cat([pictures, pictures.new_ones(missing, *pictures.shape[1:])])
    channels, height, width = filled.shape[1:]
    rows = filled.reshape(-1, columns, channels, height, width).permute(0, 3, 1, 4, 2)
    pixels = rows.reshape(-1, columns * width, channels)
    return ((pixels + 1) * 127.5 + 0.5).clamp(0, 255).to(torch.uint8).cpu()
