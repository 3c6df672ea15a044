"""Stage 1: a KL autoencoder (Rombach et al. 2022), whole or its decoder alone."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nodes.training.dataset import Dataset
from nodes.training.device import Device, generator
from nodes.training.grids import grid
from nodes.training.loop import SAMPLE_STEP, Course, cosine

KL = 1e-4
LATENT_NOISE = 0.06
"""What a decoder alone learns to see through, in parts of the spread of latents."""

SHOWN = 12


class AutoencoderStage:
    """Trains all of an autoencoder, or with ``decoder_only`` the decoder under an encoder that stays as it is."""

    betas = (0.9, 0.98)
    decay = 1e-4
    warmup = 30
    course: Course = staticmethod(cosine)

    def __init__(
        self, vae: Any, dataset: Dataset, device: Device, seed: int, batch: int, decoder_only: bool = False
    ) -> None:
        self.name = "decoder" if decoder_only else "autoencoder"
        self.dataset = dataset
        self.device = device
        self.seed = seed
        self.batch = batch
        self.decoder_only = decoder_only
        self.modules: Mapping[str, nn.Module] = {"vae": vae}
        self.facts: Mapping[str, Any] = {"size": dataset.size}
        vae.requires_grad_(not decoder_only)
        if decoder_only:
            vae.decoder.requires_grad_(True)
            vae.post_quant_conv.requires_grad_(True)

    def loss(self, step: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return |d| + d^2 + edges + 1e-4 KL per latent number, each a mean over the pictures of a step."""
        drawn = self.dataset.draw(self.seed, step, self.batch)
        wanted = self.dataset.pictures([d.view for d in drawn], [d.mirrored for d in drawn])
        vae: Any = self.modules["vae"]
        with self.device.autocast():
            latents, kl = self._latents(vae, self.device.placed(wanted), step)
            made = vae.decode(latents).sample.float()
        difference = made - wanted
        l1, l2, edges = difference.abs().mean(), difference.pow(2).mean(), _edges(difference)
        total = l1 + l2 + (0.8 if self.decoder_only else 0.5) * edges + KL * kl
        return total, {"l1": l1, "l2": l2, "edges": edges, "kl": kl}

    def _latents(self, vae: Any, pictures: Tensor, step: int) -> tuple[Tensor, Tensor]:
        random = generator(self.seed, step, pictures.device)
        if not self.decoder_only:
            posterior = vae.encode(pictures).latent_dist
            return posterior.sample(random), posterior.kl().float().mean() / posterior.mean[0].numel()
        with torch.no_grad():
            latents = vae.encode(pictures).latent_dist.mean.float()
            amounts = torch.rand(len(latents), 1, 1, 1, generator=random, device=random.device)
            noise = torch.randn(latents.shape, generator=random, device=random.device)
            noisy = latents + noise * amounts * LATENT_NOISE * latents.std()
        return noisy, latents.new_zeros(())

    @torch.no_grad()
    def samples(self, averages: Mapping[str, nn.Module]) -> tuple[Tensor, Mapping[str, float], Mapping[str, str]]:
        """Return pictures above what becomes of them, and the signal to noise ratio in dB."""
        views = [drawn.view for drawn in self.dataset.draw(self.seed, SAMPLE_STEP, SHOWN)]
        wanted = self.dataset.pictures(views)
        vae: Any = averages["vae"]
        made = torch.cat([self._through(vae, picture[None]) for picture in wanted]).clamp(-1, 1)
        psnr = -10 * torch.log10(((made - wanted) / 2).pow(2).mean((1, 2, 3))).mean()
        return grid(torch.cat([wanted, made]), SHOWN), {"psnr": psnr.item()}, {}

    def _through(self, vae: Any, picture: Tensor) -> Tensor:
        with self.device.autocast():
            made: Tensor = vae.decode(vae.encode(self.device.placed(picture)).latent_dist.mean).sample
        return made.float()


def _edges(difference: Tensor) -> Tensor:
    """Mean of |d| between neighbours, in both directions: what keeps edges sharp."""
    across = difference[..., 1:] - difference[..., :-1]
    down = difference[..., 1:, :] - difference[..., :-1, :]
    return across.abs().mean() + down.abs().mean()
