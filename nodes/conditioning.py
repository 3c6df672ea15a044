"""Combine encoded prompts and say where, how much and when they count."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from engine.errors import InputError
from engine.node import Field, Widget, node
from engine.types import Mask, Tensor
from nodes.inputs import CELL, MAX_SIDE, Fraction, Place
from nodes.lazy import lazy
from nodes.recipes import Cond, Conditioning

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

AreaSide = Annotated[int, Field(ge=64, le=MAX_SIDE), Widget(step=8)]
AreaStrength = Annotated[float, Field(ge=0.0, le=10.0), Widget(step=0.01)]
Percent = Annotated[float, Field(ge=0.0, le=1.0), Widget(step=0.001)]


@node("ConditioningCombine", category="conditioning", display_name="Conditioning (Combine)")
def conditioning_combine(conditioning_1: Conditioning, conditioning_2: Conditioning) -> Conditioning:
    """Let two prompts steer together: the model is asked for each, and their answers are averaged."""
    return Conditioning(conditioning_1.entries + conditioning_2.entries)


@node("ConditioningConcat", category="conditioning", display_name="Conditioning (Concat)")
def conditioning_concat(conditioning_to: Conditioning, conditioning_from: Conditioning) -> Conditioning:
    """Put the tokens of one prompt behind those of another. Only the first part of ``conditioning_from`` is used."""
    added = _first(conditioning_from, "conditioning_from").context
    return _each(conditioning_to, lambda cond: replace(cond, context=torch.cat([cond.context, added], 1)))


@node("ConditioningAverage", category="conditioning")
def conditioning_average(
    conditioning_to: Conditioning, conditioning_from: Conditioning, conditioning_to_strength: Fraction = 1.0
) -> Conditioning:
    """Blend two prompts token by token: strength 1 is ``conditioning_to``, 0 the other one.

    Only the first part of ``conditioning_from`` is used, cut or filled with zeros to the length of the other.
    """
    other, share = _first(conditioning_from, "conditioning_from"), conditioning_to_strength

    def blended(cond: Cond) -> Cond:
        context = cond.context * share + _as_long(other.context, cond.context) * (1 - share)
        if other.pooled is None:
            return replace(cond, context=context)
        own = other.pooled if cond.pooled is None else cond.pooled
        return replace(cond, context=context, pooled=own * share + other.pooled * (1 - share))

    return _each(conditioning_to, blended)


@node("ConditioningSetArea", category="conditioning", display_name="Conditioning (Set Area)")
def conditioning_set_area(
    conditioning: Conditioning,
    width: AreaSide = 64,
    height: AreaSide = 64,
    x: Place = 0,
    y: Place = 0,
    strength: AreaStrength = 1.0,
) -> Conditioning:
    """Let a prompt count in a rectangle only, given in pixels."""
    area = (height // CELL, width // CELL, y // CELL, x // CELL)
    return with_options(conditioning, area=area, strength=strength, set_area_to_bounds=False)


@node("ConditioningSetAreaPercentage", category="conditioning", display_name="Conditioning (Set Area with Percentage)")
def conditioning_set_area_percentage(
    conditioning: Conditioning,
    width: Fraction = 1.0,
    height: Fraction = 1.0,
    x: Fraction = 0.0,
    y: Fraction = 0.0,
    strength: AreaStrength = 1.0,
) -> Conditioning:
    """Let a prompt count in a rectangle only, given in parts of the picture."""
    area = ("percentage", height, width, y, x)
    return with_options(conditioning, area=area, strength=strength, set_area_to_bounds=False)


@node("ConditioningSetAreaStrength", category="conditioning")
def conditioning_set_area_strength(conditioning: Conditioning, strength: AreaStrength = 1.0) -> Conditioning:
    """Say how much a prompt counts beside the others that it is combined with."""
    return with_options(conditioning, strength=strength)


@node("ConditioningSetMask", category="conditioning", display_name="Conditioning (Set Mask)")
def conditioning_set_mask(
    conditioning: Conditioning,
    mask: Mask,
    strength: AreaStrength = 1.0,
    *,
    set_cond_area: Literal["default", "mask bounds"],
) -> Conditioning:
    """Let a prompt count where a mask is bright.

    With ``mask bounds`` the model sees only the rectangle around what is not black.
    """
    return with_options(
        conditioning,
        mask=mask.reshape(-1, *mask.shape[-2:]),
        mask_strength=strength,
        set_area_to_bounds=set_cond_area == "mask bounds",
    )


@node("ConditioningSetTimestepRange", category="advanced/conditioning")
def conditioning_set_timestep_range(
    conditioning: Conditioning, start: Percent = 0.0, end: Percent = 1.0
) -> Conditioning:
    """Let a prompt count during a part of sampling only; 0 is the beginning, 1 the end."""
    return with_options(conditioning, start_percent=start, end_percent=end)


@node("ConditioningZeroOut", category="advanced/conditioning")
def conditioning_zero_out(conditioning: Conditioning) -> Conditioning:
    """Set everything that a prompt was encoded to to zero, which for some models is what no prompt means."""

    def zeroed(cond: Cond) -> Cond:
        pooled = None if cond.pooled is None else torch.zeros_like(cond.pooled)
        return replace(cond, context=torch.zeros_like(cond.context), pooled=pooled)

    return _each(conditioning, zeroed)


def _each(conditioning: Conditioning, change: Callable[[Cond], Cond]) -> Conditioning:
    return Conditioning(tuple(change(cond) for cond in conditioning.entries))


def with_options(conditioning: Conditioning, **options: Any) -> Conditioning:
    """Return prompts with more options."""
    return _each(conditioning, lambda cond: replace(cond, options={**cond.options, **options}))


def _first(conditioning: Conditioning, name: str) -> Cond:
    if not conditioning.entries:
        raise InputError("The conditioning is empty.", input=name, expected="at least one encoded prompt")
    return conditioning.entries[0]


def _as_long(context: Tensor, like: Tensor) -> Tensor:
    """Return (1, tokens, width) cut or filled with zeros to the tokens of ``like``."""
    missing = max(0, like.shape[1] - context.shape[1])
    return torch.nn.functional.pad(context, (0, 0, 0, missing))[:, : like.shape[1]]
