"""Sampling under a mask: what lies outside stays the latent that came in."""

from dataclasses import dataclass

from torch import Tensor

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
    """

    denoise: GuidedDenoiser
    mask: Tensor
    latent: Tensor
    noise: Tensor
    process: Process = VE

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self._kept(self.denoise(self._laid(x, sigma), sigma))

    def both(self, x: Tensor, sigma: Tensor) -> Guided:
        guided = self.denoise.both(self._laid(x, sigma), sigma)
        return Guided(self._kept(guided.denoised), guided.uncond)

    def _laid(self, x: Tensor, sigma: Tensor) -> Tensor:
        background = self.process.alpha(sigma) * self.latent + self.noise * sigma
        return x * self.mask + background * (1 - self.mask)

    def _kept(self, denoised: Tensor) -> Tensor:
        return denoised * self.mask + self.latent * (1 - self.mask)
