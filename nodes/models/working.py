"""How much memory a network needs while it works, besides its weights. Pure functions of its config: no torch.

They count the largest set of tensors that is alive at once, as diffusers' modules run without gradients and with
attention that keeps no matrix of scores. What the libraries below take for a moment is in ``SCRATCH``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

SCRATCH = 1.2
"""How much more than the tensors that are seen: convolutions lay their input and output anew."""

PLAIN, ATTENDING = 9, 22
"""Tensors of a level's width in a residual block, and in a transformer block, whose feed-forward is 8 wide."""


def unet_bytes(config: Mapping[str, Any], batch: int, cells: int, itemsize: int) -> int:
    """Return the bytes for ``batch`` latents of ``cells`` cells, in numbers of ``itemsize`` bytes.

    ``config`` is diffusers' for a UNet2DConditionModel or a ControlNetModel.
    """
    levels: list[float] = [width / 4**level for level, width in enumerate(config["block_out_channels"])]
    kinds: Sequence[str] = config["down_block_types"]
    skips: float = (config["layers_per_block"] + 1) * sum(levels)
    busiest = max(level * (ATTENDING if "Attn" in kind else PLAIN) for level, kind in zip(levels, kinds, strict=True))
    return round(batch * cells * (skips + busiest) * itemsize * SCRATCH)


def vae_bytes(config: Mapping[str, Any], pixels: int, itemsize: int) -> int:
    """Return the bytes to decode or encode one picture of ``pixels`` pixels. ``config`` is an AutoencoderKL's."""
    widths: Sequence[int] = config["block_out_channels"]
    return round(pixels * (4 * widths[0] + widths[min(1, len(widths) - 1)]) * itemsize * SCRATCH)


TEXT_TOKENS = 512
"""Tokens of a prompt beside those of a picture, as a guess."""

WIDE_TENSORS = 22
"""Tensors of a token's width in a block of a transformer: its feed-forward is 4 wide and has two of them."""


def transformer_bytes(width: int, batch: int, tokens: int, itemsize: int) -> int:
    """Return the bytes for ``batch`` pictures of ``tokens`` tokens of a width, in numbers of ``itemsize`` bytes."""
    return round(batch * (tokens + TEXT_TOKENS) * width * WIDE_TENSORS * itemsize * SCRATCH)
