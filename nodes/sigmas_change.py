"""Cut, turn and change lists of noise levels."""

from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from engine.context import Context
from engine.node import Field, Widget, node
from nodes.inputs import Fraction
from nodes.lazy import lazy
from nodes.recipes import Model, Sigmas

if TYPE_CHECKING:
    from nodes.models import levels
    from nodes.sampling import steps as change
else:
    levels = lazy("nodes.models.levels")
    change = lazy("nodes.sampling.steps")

CATEGORY = "sampling/custom_sampling/sigmas"


class Split(NamedTuple):
    high_sigmas: Sigmas
    low_sigmas: Sigmas


class Level(NamedTuple):
    sigma_value: float


@node("SplitSigmas", category=CATEGORY)
def split_sigmas(sigmas: Sigmas, step: Annotated[int, Field(ge=0, le=10_000)] = 0) -> Split:
    """Cut a run in two: ``step`` steps, and those that are left. Both know the level where they meet."""
    return Split(sigmas[: step + 1].clone(), sigmas[step:].clone())


@node("SplitSigmasDenoise", category=CATEGORY)
def split_sigmas_denoise(sigmas: Sigmas, denoise: Fraction = 1.0) -> Split:
    """Cut a run in two, the second with a part ``denoise`` of the steps."""
    count = max(len(sigmas) - 1, 0)
    return split_sigmas(sigmas, count - round(count * denoise))


@node("FlipSigmas", category=CATEGORY)
def flip_sigmas(sigmas: Sigmas) -> Sigmas:
    """Turn a run round, so that it goes from a picture to noise. It begins a little above 0."""
    return change.flipped(sigmas)


@node("SetFirstSigma", category=CATEGORY)
def set_first_sigma(
    sigmas: Sigmas, sigma: Annotated[float, Field(ge=0.0, le=20_000.0), Widget(step=0.001, round=False)] = 136.0
) -> Sigmas:
    """Begin a run at another noise level."""
    changed = sigmas.clone()
    changed[:1] = sigma
    return changed


@node("ExtendIntermediateSigmas", category=CATEGORY)
def extend_intermediate_sigmas(
    sigmas: Sigmas,
    steps: Annotated[int, Field(ge=1, le=100)] = 2,
    start_at_sigma: Annotated[float, Field(ge=-1.0, le=20_000.0), Widget(step=0.01, round=False)] = -1.0,
    end_at_sigma: Annotated[float, Field(ge=0.0, le=20_000.0), Widget(step=0.01, round=False)] = 12.0,
    *,
    spacing: Literal["linear", "cosine", "sine"],
) -> Sigmas:
    """Make ``steps`` steps of each one that begins between two noise levels. A start of -1 means from the top."""
    return change.extended(sigmas, steps, start_at_sigma, end_at_sigma, spacing)


@node("SamplingPercentToSigma", category=CATEGORY)
def sampling_percent_to_sigma(
    ctx: Context,
    model: Model,
    sampling_percent: Annotated[float, Field(ge=0.0, le=1.0), Widget(step=0.0001)] = 0.0,
    return_actual_sigma: bool = False,
) -> Level:
    """Say which noise level a model is at when a part of its sampling is done.

    At 0 that is a number above all levels, and at 1 it is 0, unless the actual level is asked for.
    """
    return Level(levels.at(ctx, model, sampling_percent, return_actual_sigma))
