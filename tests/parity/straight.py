"""Text to picture and picture to picture once more, straight through: what the golden cases are for, in one file.

It takes diffusers' and transformers' modules and follows the conventions of people's pictures line by line. It shares
no code with what is compared with it but the tokenizer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn


def table() -> np.ndarray:
    """All noise levels, rising: sqrt((1 - a) / a) of betas whose roots are evenly spaced."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=np.float64) ** 2
    alphas = np.cumprod(1 - betas)
    return np.sqrt((1 - alphas) / alphas).astype(np.float32)


def normal(steps: int) -> list[float]:
    logs = np.log(table().astype(np.float64))
    return [*np.exp(np.interp(np.linspace(999, 0, steps), np.arange(1000), logs)), 0.0]


def karras(steps: int, rho: float = 7.0) -> list[float]:
    low, high = float(table()[0]) ** (1 / rho), float(table()[-1]) ** (1 / rho)
    return [*((high + np.linspace(0, 1, steps) * (low - high)) ** rho), 0.0]


@dataclass(frozen=True)
class Straight:
    """A model as its three modules. ``tokens`` are the ids of a prompt without begin and end."""

    unet: nn.Module
    vae: nn.Module
    text: nn.Module
    scale: float
    prediction: str

    def encoded(self, tokens: Sequence[int], weights: Sequence[float] | None = None) -> Tensor:
        """The context of one chunk; weights pull away from what an empty prompt gives."""
        end = self.text.config.vocab_size - 1

        def hidden(ids: Sequence[int]) -> Tensor:
            row = [end - 1, *ids, *[end] * (76 - len(ids))]
            found: Tensor = self.text(torch.tensor([row])).last_hidden_state
            return found

        z = hidden(tokens)
        if weights is None:
            return z
        w = torch.tensor([1.0, *weights, *[1.0] * (76 - len(weights))])[None, :, None]
        return hidden([]) + (z - hidden([])) * w

    def denoised(self, x: Tensor, sigma: float, context: Tensor) -> Tensor:
        step = float(np.abs(np.log(table()) - np.log(np.float32(sigma))).argmin())
        variance = sigma**2 + 1
        out = self.unet(x / variance**0.5, torch.full((len(x),), step), context).sample
        if self.prediction == "eps":
            return x - out * sigma
        return x / variance - out * sigma / variance**0.5

    def sampled(
        self,
        conds: tuple[Tensor, Tensor],
        cfg: float,
        sigmas: Sequence[float],
        seed: int,
        latent: Tensor,
        solver: str,
        mask: Tensor | None = None,
        noise_seed: int = 0,
    ) -> Tensor:
        """Return a latent in the VAE's scale, from one in that scale."""
        latent = latent * self.scale
        noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(seed))
        more = torch.Generator().manual_seed(noise_seed)
        full = sigmas[0] > float(table()[-1]) * (1 - 1e-5)
        x = latent + noise * ((1 + sigmas[0] ** 2) ** 0.5 if full else sigmas[0])
        old = None
        for i, (s, t) in enumerate(pairwise(sigmas)):
            if mask is not None:
                x = x * mask + (latent + noise * s) * (1 - mask)
            cond, uncond = (self.denoised(x, s, context) for context in conds)
            x0 = uncond + (cond - uncond) * cfg
            if mask is not None:
                x0 = x0 * mask + latent * (1 - mask)
            if solver == "euler":
                x = x + (x - x0) / s * (t - s)
            elif solver == "euler_ancestral":
                up = min(t, (t**2 * (s**2 - t**2) / s**2) ** 0.5)
                x = x + (x - x0) / s * ((t**2 - up**2) ** 0.5 - s)
                if t > 0:
                    x = x + torch.randn(x.shape, generator=more) * up
            elif t == 0:
                x = x0
            else:  # dpmpp_2m
                h = np.log(s / t)
                d = x0 if old is None else x0 + (x0 - old) * h / (2 * np.log(sigmas[i - 1] / s))
                x = x * (t / s) - d * float(np.expm1(-h))
            old = x0
        return x / self.scale

    def picture(self, latent: Tensor) -> np.ndarray:
        """Return pictures (B, H, W, 3) as bytes, cut and not rounded."""
        pixels = ((self.vae.decode(latent).sample + 1) / 2).clamp(0, 1).movedim(1, -1)
        return (pixels * 255).numpy().astype(np.uint8)
