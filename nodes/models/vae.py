"""Pictures to latents and back."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.errors import InputError
from nodes.models.families.checkpoint import LatentFormat
from nodes.models.unet import laid_out
from nodes.pixels import tiles
from nodes.pixels.tiles import Report


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
        return torch.cat([self._encoded(x[None]) for x in self._prepared(pixels)])

    @torch.no_grad()
    def encode_tiled(self, pixels: Tensor, tile: int, overlap: int, report: Report) -> Tensor:
        """Return about what ``encode`` does, in tiles of about ``tile`` squared pixels, which need less memory."""
        factor = self.latent.factor
        cells = _tile(tile // factor, overlap // factor)
        return tiles.averaged(self._encoded, self._prepared(pixels), *cells, report, shrinks=factor)

    @torch.no_grad()
    def decode(self, samples: Tensor) -> Tensor:
        """Return pictures (B, H, W, 3), float32. Raises InputError where the latents have other channels."""
        self._check(samples)
        return _picture(torch.cat([self._decoded(z[None]) for z in samples]))

    @torch.no_grad()
    def decode_tiled(self, samples: Tensor, tile: int, overlap: int, report: Report) -> Tensor:
        """Return about what ``decode`` does, in tiles of about ``tile`` squared pixels, which need less memory."""
        self._check(samples)
        factor = self.latent.factor
        cells = _tile(tile // factor, overlap // factor)
        return _picture(tiles.averaged(self._decoded, samples, *cells, report, grows=factor))

    def _prepared(self, pixels: Tensor) -> Tensor:
        return crop(pixels, self.latent.factor)[..., :3].movedim(-1, 1) * 2 - 1

    def _encoded(self, x: Tensor) -> Tensor:
        mean: Tensor = self.module.encode(self._ready(x)).latent_dist.mean
        return mean.float().cpu().contiguous()

    def _decoded(self, z: Tensor) -> Tensor:
        y: Tensor = self.module.decode(self._ready(z), return_dict=False)[0]
        return y.float().cpu().contiguous()

    def _check(self, samples: Tensor) -> None:
        if samples.ndim != 4 or samples.shape[1] != self.latent.channels:
            raise InputError(
                "these latents are not of the family of this VAE",
                got=f"latents of shape {tuple(samples.shape)}",
                expected=f"(batch, {self.latent.channels}, height, width)",
            )

    def _ready(self, tensor: Tensor) -> Tensor:
        like = next(self.module.parameters())
        return laid_out(tensor.to(like.device, like.dtype))


def crop(pixels: Tensor, factor: int) -> Tensor:
    """Return a view of (B, H, W, ...) cut at its borders to a multiple of ``factor``, as ``encode`` does it.

    Raises InputError where nothing remains.
    """
    height, width = pixels.shape[1] // factor * factor, pixels.shape[2] // factor * factor
    if not height or not width:
        raise InputError(
            "the picture is too small to encode",
            got=f"{pixels.shape[2]} x {pixels.shape[1]} pixels",
            expected=f"at least {factor} x {factor}",
        )
    top, left = (pixels.shape[1] - height) // 2, (pixels.shape[2] - width) // 2
    return pixels[:, top : top + height, left : left + width]


def _picture(y: Tensor) -> Tensor:
    return ((y + 1) / 2).clamp(0, 1).movedim(1, -1).contiguous()


def _tile(cells: int, overlap: int) -> tuple[int, int]:
    """Return the side and the overlap of tiles, in cells: at least 4, and at most a quarter of that."""
    cells = max(4, cells)
    return cells, min(overlap, cells // 4)
