"""Sampling under a mask: what lies outside stays the latent that came in."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from nodes.sampling.noise_levels import NoiseLevels
from nodes.sampling.process import VE, Process
from nodes.sampling.regions import resized_mask
from nodes.sampling.seam import Guided, GuidedDenoiser


def latent_mask(mask: Tensor, latent: Tensor) -> Tensor:
    """A (batch or 1, [1,] height, width) mask as (batch, 1, ..., height, width) in the latent's size, not rounded."""
    height, width = latent.shape[-2:]
    flat = resized_mask(mask.reshape(-1, *mask.shape[-2:]).to(latent), height, width)
    repeats = -(-latent.shape[0] // len(flat))
    cut = flat.repeat(repeats, 1, 1)[: latent.shape[0]]
    return cut.view(len(cut), *[1] * (latent.ndim - 3), height, width)


@dataclass(frozen=True, slots=True, eq=False)
class Inpaint:
    """A denoiser that works where ``mask`` is 1, keeps ``latent`` where it is 0 and blends between.

    Before each call the outside is set to the latent under noise of the current level; ``noise`` is the starting noise
    (or ``background_noise`` for solvers with ``fresh_background``). The unconditional prediction is not blended.
    ``mask_at`` makes of the mask and the current level what counts there.
    """

    denoise: GuidedDenoiser
    mask: Tensor
    latent: Tensor
    noise: Tensor
    process: Process = VE
    mask_at: Callable[[Tensor, Tensor], Tensor] | None = None

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        mask = self._mask(sigma)
        return self._kept(self.denoise(self._laid(x, sigma, mask), sigma), mask)

    def both(self, x: Tensor, sigma: Tensor) -> Guided:
        mask = self._mask(sigma)
        guided = self.denoise.both(self._laid(x, sigma, mask), sigma)
        return guided._replace(denoised=self._kept(guided.denoised, mask))

    def _mask(self, sigma: Tensor) -> Tensor:
        return self.mask_at(self.mask, sigma) if self.mask_at else self.mask

    def _laid(self, x: Tensor, sigma: Tensor, mask: Tensor) -> Tensor:
        background = self.process.alpha(sigma) * self.latent + self.noise * sigma
        return x * mask + background * (1 - mask)

    def _kept(self, denoised: Tensor, mask: Tensor) -> Tensor:
        return denoised * mask + self.latent * (1 - mask)


def differential(
    levels: NoiseLevels, first: Tensor, last: Tensor, strength: float
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return what makes a grey mask black and white: a place is sampled once the timestep falls to its brightness.

    Timesteps count from that of ``first`` (1) to that of ``last``, or of the smallest level (0). ``strength`` 0 keeps
    the mask as it is; black is never sampled. Levin and Fried (2023), arXiv 2306.00950.

    Not compared with the reference.
    """
    begin = levels.timestep(first)
    end = levels.timestep(torch.maximum(last, levels.table[0].to(last)))

    def mask_at(mask: Tensor, sigma: Tensor) -> Tensor:
        done = (levels.timestep(sigma) - end) / (begin - end).clamp(min=1e-6)
        counts = (mask >= done) & (mask > 0)
        return strength * counts.to(mask) + (1 - strength) * mask

    return mask_at
