"""Which part of a schedule a run covers: partial denoising, and runs that start late or stop early."""

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
