"""Sample with given noise: the module ``comfy.sample``. Its rest is placeholders."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from nodes.models import levels
from nodes.packs.names.placeholders import members_of
from nodes.packs.objects import from_foreign, to_foreign
from nodes.packs.objects.guider import CFGGuider
from nodes.packs.objects.members import context
from nodes.recipes import Sampler
from nodes.sampling.noise import starting_noise
from nodes.sampling.steps import cut

__getattr__ = members_of(__name__)


def prepare_noise(latent_image: Tensor, seed: int, noise_inds: Sequence[int] | None = None) -> Tensor:
    """Return the noise of a seed, in the shape of a latent; ``noise_inds`` are places in that of a larger batch."""
    places = None if noise_inds is None else [int(place) for place in noise_inds]
    return starting_noise(int(seed), latent_image.shape, places)


def fix_empty_latent_channels(model: Any, latent_image: Tensor, *args: Any) -> Tensor:
    """Return a latent as it is: models that Loomis has all work with the latents that there are."""
    return latent_image


def sample_custom(
    model: Any,
    noise: Tensor,
    cfg: float,
    sampler: Any,
    sigmas: Tensor,
    positive: Any,
    negative: Any,
    latent_image: Tensor,
    noise_mask: Tensor | None = None,
    callback: Callable[..., Any] | None = None,
    disable_pbar: bool = False,
    seed: int | None = None,
) -> Tensor:
    """Return a latent that went down noise levels, from given noise."""
    guider = CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    found: Tensor = guider.sample(noise, latent_image, sampler, sigmas, noise_mask, callback, disable_pbar, seed)
    return found


def sample(
    model: Any,
    noise: Tensor,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    positive: Any,
    negative: Any,
    latent_image: Tensor,
    denoise: float = 1.0,
    disable_noise: bool = False,
    start_step: int | None = None,
    last_step: int | None = None,
    force_full_denoise: bool = False,
    noise_mask: Tensor | None = None,
    sigmas: Tensor | None = None,
    callback: Callable[..., Any] | None = None,
    disable_pbar: bool = False,
    seed: int | None = None,
) -> Tensor:
    """Return a latent that went down the levels of a schedule, or some of them, from given noise."""
    if sigmas is None:
        sigmas = levels.scheduled(context(), from_foreign("MODEL", model), scheduler, steps, denoise, sampler_name)
    sigmas = cut(sigmas, start_step or 0, last_step, not force_full_denoise)
    if not len(sigmas):
        return latent_image
    sampler = to_foreign("SAMPLER", Sampler(sampler_name))
    drawn = torch.zeros_like(latent_image) if disable_noise else noise
    return sample_custom(
        model, drawn, cfg, sampler, sigmas, positive, negative, latent_image, noise_mask, callback, disable_pbar, seed
    )
