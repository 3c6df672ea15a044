"""Options of a model that skip steps, made ready for a run."""

import logging
from collections.abc import Callable

import torch

from nodes.network_options import StepCaching
from nodes.recipes import Model
from nodes.sampling.noise_levels import NoiseLevels
from nodes.sampling.prediction import Network
from nodes.sampling.seam import GuidedDenoiser
from nodes.sampling.step_cache import CachedDenoiser, StepCache, cached

log = logging.getLogger("loomis.cache")


def easily(network: Network, model: Model, levels: NoiseLevels) -> Network:
    """Return the network, whose predictions are reused where an option says so."""
    chosen = _chosen(model, guided=False)
    if chosen is None:
        return network
    highest = levels.table[-1].item()
    sigmas = torch.tensor([min(levels.sigma_at(part), highest) for part in (chosen.start, chosen.end)])
    first, last = levels.timestep(sigmas).tolist()
    return cached(network, StepCache(chosen.threshold, first, last, _teller(chosen)))


def lazily(denoise: GuidedDenoiser, model: Model, levels: NoiseLevels) -> GuidedDenoiser:
    """Return the denoiser, whose clean pictures are reused where an option says so."""
    chosen = _chosen(model, guided=True)
    if chosen is None:
        return denoise
    first, last = levels.sigma_at(chosen.start), levels.sigma_at(chosen.end)
    return CachedDenoiser(denoise, StepCache(chosen.threshold, first, last, _teller(chosen)))


def _chosen(model: Model, guided: bool) -> StepCaching | None:
    found = (each for each in reversed(model.options) if isinstance(each, StepCaching) and each.guided == guided)
    return next(found, None)


def _teller(chosen: StepCaching) -> Callable[[str], None]:
    return log.info if chosen.verbose else log.debug
