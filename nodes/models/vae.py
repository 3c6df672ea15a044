"""Pictures to latents and back."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.errors import InputError
from nodes.models.families.checkpoint import LatentFormat


@dataclass(frozen=True, slots=True)
class Autoencoder:
    """A KL autoencoder; ``module`` is diffusers' AutoencoderKL.

    Latents are in its own, unscaled space; pictures are (B, H, W, C) in 0 to 1, on the CPU. Pictures go through one by
    one, so a batch needs the memory of one and gives the numbers of single runs.
    """

    module: Any
    latent: LatentFormat

    @torch.no_grad()
    def encode(self, pixels: Tensor) -> Tensor:
        """Return latents (B, channels, H / factor, W / factor), float32: the mean of the posterior, nothing drawn.

        The picture is cut at its borders to a multiple of the factor. Raises InputError where nothing remains.
        """
        factor = self.latent.factor
        height, width = pixels.shape[1] // factor * factor, pixels.shape[2] // factor * factor
        if not height or not width:
            raise InputError(
                "the picture is too small to encode",
                got=f"{pixels.shape[2]} x {pixels.shape[1]} pixels",
                expected=f"at least {factor} x {factor}",
            )
        top, left = (pixels.shape[1] - height) // 2, (pixels.shape[2] - width) // 2
        cut = pixels[:, top : top + height, left : left + width, :3].movedim(-1, 1)
        posteriors = [self.module.encode(self._ready(x[None] * 2 - 1)).latent_dist for x in cut]
        return torch.cat([posterior.mean.float().cpu() for posterior in posteriors])

    @torch.no_grad()
    def decode(self, samples: Tensor) -> Tensor:
        """Return pictures (B, H, W, 3), float32. Raises InputError where the latents have other channels."""
        if samples.ndim != 4 or samples.shape[1] != self.latent.channels:
            raise InputError(
                "these latents are not of the family of this VAE",
                got=f"latents of shape {tuple(samples.shape)}",
                expected=f"(batch, {self.latent.channels}, height, width)",
            )
        decoded = [self.module.decode(self._ready(z[None]), return_dict=False)[0] for z in samples]
        pictures = torch.cat([y.float().cpu() for y in decoded])
        return ((pictures + 1) / 2).clamp(0, 1).movedim(1, -1).contiguous()

    def _ready(self, tensor: Tensor) -> Tensor:
        like = next(self.module.parameters())
        return tensor.to(like.device, like.dtype)
