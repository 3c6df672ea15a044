"""Weights that prompts change for themselves: which patches their hooks are at each noise level of a run."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.context import Context
from nodes.models.files import tell_unused
from nodes.models.pool import Pool
from nodes.recipes import Conditioning, Model, WeightPatch
from nodes.sampling.guidance import WEIGHTS
from nodes.sampling.keyframes import Keyframe, Keyframes
from nodes.sampling.noise_levels import NoiseLevels
from nodes.sampling.prediction import Inputs, Predictor
from nodes.weight_hooks import LORAS, HookKeyframes, Hooks, hooks_of, model_patches


@dataclass(frozen=True, slots=True)
class HookedWeights:
    """What a network gets as ``WEIGHTS``: the hooks of its prompts, and the patches that they are at a noise level."""

    hooks: Hooks
    patches: tuple[WeightPatch, ...]


def groups(sides: Sequence[Conditioning]) -> tuple[Hooks, ...]:
    """Return the hooks that prompts have, each group of equal ones once."""
    return tuple({hooks_of(cond.options): None for side in sides for cond in side.entries if hooks_of(cond.options)})


def check(ctx: Context, pool: Pool, model: Model, found: Sequence[Hooks]) -> None:
    """Tell of what LoRAs have that changes nothing in a model. Reads headers only.

    Raises:
        ModelError: one is made for another family.
    """
    for file in {hook.file: None for hooks in found for hook in hooks if hook.file.folder == LORAS}:
        unused = pool.unused(pool.weights(file), [model.file])
        tell_unused(ctx, pool.weights(file).path.name, unused)


def scheduled(predict: Predictor, model: Model, levels: NoiseLevels, sigmas: Tensor) -> Predictor:
    """Return the predictor whose calls with hooks get the patches that these are at the noise level of the call."""
    schedules: dict[HookKeyframes, Keyframes] = {}
    first_sigma = float(torch.max(sigmas))

    def multiplier(frames: HookKeyframes, level: float) -> float:
        if frames not in schedules:
            timed = [Keyframe(frame.strength, levels.sigma_at(frame.start), frame.steps) for frame in frames]
            schedules[frames] = Keyframes(timed, first_sigma)
        return schedules[frames].strength(level)

    def call(x: Tensor, sigma: Tensor, inputs: Inputs) -> Tensor:
        hooks: Hooks = inputs.get(WEIGHTS, ())
        if not hooks:
            return predict(x, sigma, inputs)
        level = sigma.item()
        strengths = [(hook, multiplier(hook.keyframes, level)) for hook in hooks]
        patches = tuple(patch for hook, strength in strengths for patch in model_patches(hook, strength, model))
        return predict(x, sigma, {**inputs, WEIGHTS: HookedWeights(hooks, patches)})

    return call
