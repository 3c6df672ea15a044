"""How signal and noise mix at a noise level: x(sigma) = alpha(sigma) * x0 + sigma * noise.

A solver that adds noise gets the process as a part of its noise argument, so that one solver serves both kinds.
"""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class Ancestral(NamedTuple):
    """An ancestral step: go down to ``sigma_down``, multiply by ``scale``, add ``sigma_up`` times fresh noise."""

    sigma_down: Tensor
    scale: Tensor
    sigma_up: Tensor


class Process(Protocol):
    """The mixing law. All arguments and results are 0-dim float32 tensors."""

    def alpha(self, sigma: Tensor) -> Tensor:
        """The signal's coefficient."""
        ...

    def half_log_snr(self, sigma: Tensor) -> Tensor:
        """lambda = log(alpha / sigma)."""
        ...

    def sigma(self, half_log_snr: Tensor) -> Tensor:
        """The inverse of ``half_log_snr``."""
        ...

    def ancestral(self, sigma: Tensor, sigma_next: Tensor, eta: float) -> Ancestral:
        """Split the step so that noise of strength ``eta`` is taken out beyond sigma_next and put back fresh."""
        ...

    def start(self, latent: Tensor, noise: Tensor, sigma: Tensor, full: bool) -> Tensor:
        """A latent under the noise of a run's first level; ``full`` when that is the model's largest."""
        ...

    def finish(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The latent that leaves a run ending at ``sigma``: ``start`` of a later run puts it back as it was."""
        ...


class VarianceExploding:
    """alpha = 1, the convention of Karras et al. (2022), arXiv 2206.00364; eps and v models live in it."""

    def alpha(self, sigma: Tensor) -> Tensor:
        return torch.ones_like(sigma)

    def half_log_snr(self, sigma: Tensor) -> Tensor:
        return -sigma.log()

    def sigma(self, half_log_snr: Tensor) -> Tensor:
        return (-half_log_snr).exp()

    def ancestral(self, sigma: Tensor, sigma_next: Tensor, eta: float) -> Ancestral:
        one = torch.ones_like(sigma)
        if not eta:
            return Ancestral(sigma_next, one, torch.zeros_like(sigma))
        sigma_up = torch.minimum(sigma_next, eta * (sigma_next**2 * (sigma**2 - sigma_next**2) / sigma**2) ** 0.5)
        return Ancestral((sigma_next**2 - sigma_up**2) ** 0.5, one, sigma_up)

    def start(self, latent: Tensor, noise: Tensor, sigma: Tensor, full: bool) -> Tensor:
        return latent + noise * ((1 + sigma**2) ** 0.5 if full else sigma)

    def finish(self, x: Tensor, sigma: Tensor) -> Tensor:
        return x


class RectifiedFlow:
    """alpha = 1 - sigma, sigma from 1 to 0 (Liu et al. 2022, arXiv 2209.03003)."""

    LARGEST = 0.9999
    """lambda is minus infinity at sigma 1; levels above this one share its lambda."""

    def alpha(self, sigma: Tensor) -> Tensor:
        return 1 - sigma

    def half_log_snr(self, sigma: Tensor) -> Tensor:
        return -torch.logit(sigma.clamp(max=self.LARGEST))

    def sigma(self, half_log_snr: Tensor) -> Tensor:
        return torch.sigmoid(-half_log_snr)

    def ancestral(self, sigma: Tensor, sigma_next: Tensor, eta: float) -> Ancestral:
        sigma_down = sigma_next * (1 + (sigma_next / sigma - 1) * eta)
        scale = (1 - sigma_next) / (1 - sigma_down)
        return Ancestral(sigma_down, scale, (sigma_next**2 - (sigma_down * scale) ** 2).clamp(min=0) ** 0.5)

    def start(self, latent: Tensor, noise: Tensor, sigma: Tensor, full: bool) -> Tensor:
        return (1 - sigma) * latent + sigma * noise

    def finish(self, x: Tensor, sigma: Tensor) -> Tensor:
        return x / (1 - sigma)


def noise_to_signal(process: Process, sigma: Tensor) -> Tensor:
    """sigma / alpha, finite everywhere."""
    return (-process.half_log_snr(sigma)).exp()


VE = VarianceExploding()
FLOW = RectifiedFlow()
