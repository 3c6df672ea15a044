"""Options of a model that reach into its network, made ready for a run."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from nodes.models.hooks import HOOKS, Hook, freeu, shrink, tokens
from nodes.models.hypernetwork import changed
from nodes.models.pool import Pool
from nodes.network_options import DeepShrink, FreeU, Hypernetwork, Tiling, TokenMerging
from nodes.recipes import Model
from nodes.sampling.noise_levels import NoiseLevels
from nodes.sampling.prediction import Inputs, Predictor


@dataclass(frozen=True, slots=True)
class Ranged:
    """A hook that counts while first_sigma >= sigma >= last_sigma. ``at`` gives it for a timestep, 0 to 999."""

    at: Callable[[float], Hook]
    first_sigma: float = math.inf
    last_sigma: float = 0.0


def network_hooks(model: Model, pool: Pool, levels: NoiseLevels) -> tuple[Ranged, ...]:
    """Return the hooks of a model, in the order of its options.

    Raises:
        FileError, ModelError: the file of a hypernetwork is gone, or something else.
    """
    found = []
    for option in model.options:
        match option:
            case FreeU():
                found.append(Ranged(_always(freeu.freeu(option))))
            case Tiling():
                found.append(Ranged(partial(tokens.tiled, option)))
            case TokenMerging():
                found.append(Ranged(_always(tokens.merged(option))))
            case DeepShrink():
                sigmas = levels.sigma_at(option.start), levels.sigma_at(option.end)
                found.append(Ranged(_always(shrink.shrunk(option)), *sigmas))
            case Hypernetwork():
                found.append(Ranged(_always(changed(pool.hypernetwork(option.file), option.strength))))
    return tuple(found)


def _always(hook: Hook) -> Callable[[float], Hook]:
    return lambda _timestep: hook


def laid(predict: Predictor, hooks: Sequence[Ranged], levels: NoiseLevels) -> Predictor:
    """Return the predictor with hooks on its network: those that count at the noise level of each call."""
    if not hooks:
        return predict

    def call(x: Tensor, sigma: Tensor, inputs: Inputs) -> Tensor:
        level, timestep = sigma.item(), levels.timestep(sigma).item()
        active = tuple(each.at(timestep) for each in hooks if each.first_sigma >= level >= each.last_sigma)
        return predict(x, sigma, {**inputs, HOOKS: (*active, *inputs.get(HOOKS, ()))})

    return call
