"""Where noise comes from. Everything is drawn from generators of its own; torch's global state is never touched."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

import torch
import torchsde
from torch import Tensor

from nodes.sampling.noise_levels import NoiseLevels
from nodes.sampling.process import VE, Process

NoiseKind: TypeAlias = Literal["none", "ancestral", "brownian", "brownian_device"]
"""What a solver draws: nothing; fresh noise at each call; increments of one Brownian path, drawn on the CPU or on the
device of x."""

AncestralNoise: TypeAlias = Literal["same-seed", "next-seed"]
"""Seed of ancestral noise on the CPU: the run's seed (ComfyUI up to late 2025, so the first draw equals the starting
noise) or the one after it. On other devices it is always the run's seed."""

SEEDS = 2**64


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise argument of a solver: ``noise(sigma, sigma_next)`` is unit noise for that step, like x in shape.

    ``like(x)`` is unit noise like x, whatever its size; it is 0 of kinds that have noise of one size only.
    """

    draw: Callable[[Tensor, Tensor], Tensor]
    process: Process = VE
    like: Callable[[Tensor], Tensor] = torch.zeros_like

    def __call__(self, sigma: Tensor, sigma_next: Tensor) -> Tensor:
        return self.draw(sigma, sigma_next)


def _generator(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    return torch.Generator(device).manual_seed(seed % SEEDS)


def starting_noise(seed: int, shape: Sequence[int], batch_index: Sequence[int] | None = None) -> Tensor:
    """Unit noise of ``shape``, float32 on the CPU, in one draw for the whole batch.

    With ``batch_index`` picture k gets the noise of number ``batch_index[k]`` in a series of single draws.
    """
    generator = _generator(seed)
    if batch_index is None:
        return torch.randn(tuple(shape), generator=generator)
    drawn = [torch.randn((1, *shape[1:]), generator=generator) for _ in range(max(batch_index) + 1)]
    return torch.cat([drawn[k] for k in batch_index])


def background_noise(seed: int, shape: Sequence[int]) -> Tensor:
    """The noise that ``ddim`` lays under a mask: not the starting noise but a draw from the next seed."""
    return starting_noise(seed + 1, shape)


FULL_NOISE_TOLERANCE = 1e-5


def start(latent: Tensor, noise: Tensor, sigma: Tensor, levels: NoiseLevels, process: Process = VE) -> Tensor:
    """The latent under the noise of a run's first level.

    From the model's largest level the variance-exploding process adds noise * sqrt(1 + sigma^2), not noise * sigma:
    that is what the network was trained to see as pure noise.
    """
    full = sigma.item() >= levels.table[-1].item() * (1 - FULL_NOISE_TOLERANCE)
    return process.start(latent, noise, sigma, full)


def ancestral(seed: int, x: Tensor, rule: AncestralNoise = "next-seed", process: Process = VE) -> Noise:
    """Fresh unit noise at each call, from a generator on x's device."""
    shifted = rule == "next-seed" and x.device.type == "cpu"
    generator = _generator(seed + 1 if shifted else seed, x.device)

    def like(x: Tensor) -> Tensor:
        return torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)

    return Noise(lambda _sigma, _sigma_next: like(x), process, like)


TREE_DIGITS = 6
"""torchsde rounds the ends of a tree to its tolerance and refuses what lies outside."""


def brownian(seed: int, x: Tensor, sigmas: Tensor, on_device: bool = False) -> Callable[[Tensor, Tensor], Tensor]:
    """Normed increments of one Brownian path over the levels of the run, one path for the whole batch.

    The same two levels give the same noise whichever steps lie between them (Li et al. 2020, arXiv 2001.01328).
    Drawn on the CPU, or on x's device.
    """
    low, high = round(sigmas[sigmas > 0].min().item(), TREE_DIGITS), round(sigmas.max().item(), TREE_DIGITS)
    w0 = torch.zeros_like(x) if on_device else torch.zeros_like(x, device="cpu")

    @cache
    def tree() -> torchsde.BrownianTree:
        return torchsde.BrownianTree(low, w0, high, entropy=seed % SEEDS)

    def draw(sigma: Tensor, sigma_next: Tensor) -> Tensor:
        a, b = (min(max(s.item(), low), high) for s in (sigma, sigma_next))
        increment: Tensor = tree()(a, b) if a < b else -tree()(b, a)
        return _beside(increment, x) / (sigma_next - sigma).abs().sqrt()

    return draw


def _beside(drawn: Tensor, x: Tensor) -> Tensor:
    """``drawn`` on x's device. A copy to a GPU that is not from pinned memory waits for all work there."""
    if drawn.device != x.device and x.device.type == "cuda":
        return drawn.pin_memory().to(x, non_blocking=True)
    return drawn.to(x)


def noise_for(
    kind: NoiseKind, seed: int, x: Tensor, sigmas: Tensor, rule: AncestralNoise = "next-seed", process: Process = VE
) -> Noise:
    """The noise of one run of a solver of that kind. ``sigmas`` has at least one step."""
    if kind == "ancestral":
        return ancestral(seed, x, rule, process)
    if kind == "none":
        return Noise(lambda _sigma, _sigma_next: torch.zeros_like(x), process)
    return Noise(brownian(seed, x, sigmas, on_device=kind == "brownian_device"), process)


def joined(noises: Sequence[Noise]) -> Noise:
    """The noise of a batch whose equal parts have noise of their own, in order."""
    if len(noises) == 1:
        return noises[0]

    def like(x: Tensor) -> Tensor:
        return torch.cat([each.like(part) for each, part in zip(noises, x.chunk(len(noises)), strict=True)])

    def draw(sigma: Tensor, sigma_next: Tensor) -> Tensor:
        return torch.cat([each(sigma, sigma_next) for each in noises])

    return Noise(draw, noises[0].process, like)
