"""Which part of a schedule a run covers: partial denoising, and runs that start late or stop early."""

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

import torch
from torch import Tensor

from nodes.sampling.noise_levels import NoiseLevels
from nodes.sampling.schedules import Schedule

FULL = 0.9999
"""A denoise fraction above this one counts as 1."""


def without_penultimate(sigmas: Tensor) -> Tensor:
    """Drop the last value before the end: second-order DPM solvers waste a call on the tiny step there."""
    return torch.cat([sigmas[:-2], sigmas[-1:]])


def run_sigmas(
    schedule: Schedule, levels: NoiseLevels, steps: int, denoise: float = 1.0, drops_penultimate: bool = False
) -> Tensor:
    """The noise levels of a run over the last ``denoise`` (0..1) of a schedule, in ``steps`` steps.

    With denoise 0 there is nothing to do: the result is empty.
    """
    if denoise <= 0:
        return torch.empty(0)
    total = steps if denoise > FULL else int(steps / denoise)
    if drops_penultimate:
        sigmas = without_penultimate(schedule(levels, total + 1))
    else:
        sigmas = schedule(levels, total)
    return sigmas if denoise > FULL else sigmas[-(steps + 1) :]


def cut(sigmas: Tensor, start: int = 0, end: int | None = None, leftover_noise: bool = False) -> Tensor:
    """Steps ``start`` to ``end`` of a run. An early end still denoises fully unless ``leftover_noise``.

    Empty when no step is left: the latent then stays as it is.
    """
    if end is not None and end < len(sigmas) - 1:
        sigmas = sigmas[: end + 1].clone()
        if not leftover_noise:
            sigmas[-1] = 0
    return sigmas[start:] if start < len(sigmas) - 1 else sigmas[:0]


FIRST_FLIPPED = 1e-4
"""Stands in for 0 at the beginning of a run upwards, which could not leave it."""


def flipped(sigmas: Tensor) -> Tensor:
    """The same levels from the last to the first."""
    found = sigmas.flip(0)
    found[:1][found[:1] == 0] = FIRST_FLIPPED
    return found


SPACINGS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda w: w,
    "cosine": lambda w: (w * math.pi / 2).sin(),
    "sine": lambda w: (1 - (w * math.pi).cos()) / 2,
}
"""How the way between two levels is divided: names as workflow files have them, w from 0 to 1."""


def extended(sigmas: Tensor, n: int, highest: float, lowest: float, spacing: str) -> Tensor:
    """n steps in place of each one that begins between ``lowest`` and ``highest``, where a negative one is no limit."""
    way = SPACINGS[spacing](torch.linspace(0, 1, n + 1)[1:-1])
    found = []
    for sigma, sigma_next in pairwise(sigmas):
        found.append(sigma[None])
        if lowest <= sigma and (highest < 0 or sigma <= highest):
            found.append(sigma + way * (sigma_next - sigma))
    return torch.cat([*found, sigmas[-1:]])
