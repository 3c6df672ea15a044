"""Say in one go where and when prompts count, and with which hooks; and join them with others."""

from dataclasses import replace
from typing import Annotated, Literal, NamedTuple

from engine.node import Field, Widget, node
from engine.types import Mask
from nodes.conditioning import conditioning_combine, conditioning_set_mask, conditioning_set_timestep_range
from nodes.recipes import Conditioning
from nodes.weight_hooks import Hooks, TimestepsRange, combined

Strength = Annotated[float, Field(ge=0.0, le=10.0), Widget(step=0.01)]
CondArea = Literal["default", "mask bounds"]

SINGLE, PAIR = "advanced/hooks/cond single", "advanced/hooks/cond pair"


class Pair(NamedTuple):
    positive: Conditioning
    negative: Conditioning


@node("ConditioningSetProperties", category=SINGLE, display_name="Cond Set Props", experimental=True)
def conditioning_set_properties(
    cond_NEW: Conditioning,
    strength: Strength = 1.0,
    *,
    set_cond_area: CondArea,
    mask: Mask | None = None,
    hooks: Hooks | None = None,
    timesteps: TimestepsRange | None = None,
) -> Conditioning:
    """Let a prompt count where a mask is bright, in a part of the sampling, with hooks beside those that it has.

    ``strength`` is that of the mask, and counts with one only. Not compared with the reference.
    """
    found = _hooked(cond_NEW, hooks)
    if mask is not None:
        found = conditioning_set_mask(found, mask, strength, set_cond_area=set_cond_area)
    return found if timesteps is None else conditioning_set_timestep_range(found, *timesteps)


@node("ConditioningSetPropertiesAndCombine", category=SINGLE, display_name="Cond Set Props Combine", experimental=True)
def conditioning_set_properties_and_combine(
    cond: Conditioning,
    cond_NEW: Conditioning,
    strength: Strength = 1.0,
    *,
    set_cond_area: CondArea,
    mask: Mask | None = None,
    hooks: Hooks | None = None,
    timesteps: TimestepsRange | None = None,
) -> Conditioning:
    """Let a prompt steer beside another one, as ConditioningSetProperties says. Not compared with the reference."""
    new = conditioning_set_properties(
        cond_NEW, strength, set_cond_area=set_cond_area, mask=mask, hooks=hooks, timesteps=timesteps
    )
    return conditioning_combine(cond, new)


@node("ConditioningSetDefaultCombine", category=SINGLE, display_name="Cond Set Default Combine", experimental=True)
def conditioning_set_default_combine(
    cond: Conditioning,
    cond_DEFAULT: Conditioning,
    hooks: Hooks | None = None,
) -> Conditioning:
    """Let a prompt fill what others leave: it counts as much as their masks and strengths lack of 1.

    Not compared with the reference.
    """
    entries = _hooked(cond_DEFAULT, hooks).entries
    filling = tuple(replace(each, options={**each.options, "default": True}) for each in entries)
    return conditioning_combine(cond, Conditioning(filling))


@node("PairConditioningSetProperties", category=PAIR, display_name="Cond Pair Set Props", experimental=True)
def pair_conditioning_set_properties(
    positive_NEW: Conditioning,
    negative_NEW: Conditioning,
    strength: Strength = 1.0,
    *,
    set_cond_area: CondArea,
    mask: Mask | None = None,
    hooks: Hooks | None = None,
    timesteps: TimestepsRange | None = None,
) -> Pair:
    """Set the properties of a positive and a negative prompt, as ConditioningSetProperties does.

    Not compared with the reference.
    """
    return Pair(
        *(
            conditioning_set_properties(
                each, strength, set_cond_area=set_cond_area, mask=mask, hooks=hooks, timesteps=timesteps
            )
            for each in (positive_NEW, negative_NEW)
        )
    )


@node(
    "PairConditioningSetPropertiesAndCombine",
    category=PAIR,
    display_name="Cond Pair Set Props Combine",
    experimental=True,
)
def pair_conditioning_set_properties_and_combine(
    positive: Conditioning,
    negative: Conditioning,
    positive_NEW: Conditioning,
    negative_NEW: Conditioning,
    strength: Strength = 1.0,
    *,
    set_cond_area: CondArea,
    mask: Mask | None = None,
    hooks: Hooks | None = None,
    timesteps: TimestepsRange | None = None,
) -> Pair:
    """Let a positive and a negative prompt steer beside others, as ConditioningSetProperties says.

    Not compared with the reference.
    """
    new = pair_conditioning_set_properties(
        positive_NEW, negative_NEW, strength, set_cond_area=set_cond_area, mask=mask, hooks=hooks, timesteps=timesteps
    )
    return pair_conditioning_combine(positive, negative, *new)


@node(
    "PairConditioningSetDefaultCombine", category=PAIR, display_name="Cond Pair Set Default Combine", experimental=True
)
def pair_conditioning_set_default_combine(
    positive: Conditioning,
    negative: Conditioning,
    positive_DEFAULT: Conditioning,
    negative_DEFAULT: Conditioning,
    hooks: Hooks | None = None,
) -> Pair:
    """Let a positive and a negative prompt fill what others leave, as ConditioningSetDefaultCombine says.

    Not compared with the reference.
    """
    return Pair(
        conditioning_set_default_combine(positive, positive_DEFAULT, hooks),
        conditioning_set_default_combine(negative, negative_DEFAULT, hooks),
    )


@node("PairConditioningCombine", category=PAIR, display_name="Cond Pair Combine", experimental=True)
def pair_conditioning_combine(
    positive_A: Conditioning,
    negative_A: Conditioning,
    positive_B: Conditioning,
    negative_B: Conditioning,
) -> Pair:
    """Let two positive and two negative prompts steer together."""
    return Pair(conditioning_combine(positive_A, positive_B), conditioning_combine(negative_A, negative_B))


def _hooked(conditioning: Conditioning, hooks: Hooks | None) -> Conditioning:
    """Return a prompt with hooks beside those that it has."""
    if not hooks:
        return conditioning
    return Conditioning(
        tuple(
            replace(cond, options={**cond.options, "hooks": combined(cond.options.get("hooks"), hooks)})
            for cond in conditioning.entries
        )
    )
