"""Say how strongly hooks count at which time."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal, NamedTuple

from engine.errors import InputError
from engine.node import Field, Widget, node
from engine.types import Socket
from nodes.conditioning import Percent
from nodes.weight_hooks import HookKeyframe, HookKeyframes, Hooks

log = logging.getLogger("loomis.hooks")

Multiplier = Annotated[float, Field(ge=-20.0, le=20.0), Widget(step=0.01)]
Level = Annotated[float, Field(ge=0.0, le=10.0), Widget(step=0.001)]
Floats = Annotated[list[float] | float, Socket("FLOATS"), Widget(default=-1, min=-1, step=0.001, forceInput=True)]

SCHEDULING = "advanced/hooks/scheduling"

EASINGS: Mapping[str, Callable[[float], float]] = {
    "linear": lambda t: t,
    "ease_in": lambda t: t**2,
    "ease_out": lambda t: 1 - (1 - t) ** 2,
    "ease_in_out": lambda t: (1 - math.cos(math.pi * t)) / 2,
}
"""How far a change has come at a part of its way, both 0 to 1."""


class Schedule(NamedTuple):
    HOOK_KF: HookKeyframes


@node("SetHookKeyframes", category=SCHEDULING, display_name="Set Hook Keyframes", experimental=True)
def set_hook_keyframes(hooks: Hooks, hook_kf: HookKeyframes | None = None) -> Hooks:
    """Let hooks count as keyframes say, instead of what they had. Not compared with the reference."""
    return hooks if hook_kf is None else tuple(replace(hook, keyframes=hook_kf) for hook in hooks)


@node(
    "CreateHookKeyframe",
    category=SCHEDULING,
    display_name="Create Hook Keyframe",
    experimental=True,
)
def create_hook_keyframe(
    strength_mult: Multiplier = 1.0, start_percent: Percent = 0.0, prev_hook_kf: HookKeyframes | None = None
) -> Schedule:
    """Let hooks count so many times as much from a part of the sampling on: 0 is its beginning, 1 its end.

    It counts for one step at least, unless it starts before what is sampled. Not compared with the reference.
    """
    return _joined(prev_hook_kf, [HookKeyframe(strength_mult, start_percent)])


@node(
    "CreateHookKeyframesInterpolated",
    category=SCHEDULING,
    display_name="Create Hook Keyframes Interp.",
    experimental=True,
)
def create_hook_keyframes_interpolated(
    strength_start: Level = 1.0,
    strength_end: Level = 1.0,
    *,
    interpolation: Literal["linear", "ease_in", "ease_out", "ease_in_out"],
    start_percent: Percent = 0.0,
    end_percent: Percent = 1.0,
    keyframes_count: Annotated[int, Field(ge=2, le=100), Widget(step=1)] = 5,
    print_keyframes: bool = False,
    prev_hook_kf: HookKeyframes | None = None,
) -> Schedule:
    """Let the strength of hooks go from one value to another, in equal steps of time.

    ``print_keyframes`` writes them to the log. Not compared with the reference.
    """
    way = [EASINGS[interpolation](place / (keyframes_count - 1)) for place in range(keyframes_count)]
    strengths = [strength_start + (strength_end - strength_start) * far for far in way]
    return _joined(prev_hook_kf, _spread(strengths, start_percent, end_percent, print_keyframes))


@node(
    "CreateHookKeyframesFromFloats",
    category=SCHEDULING,
    display_name="Create Hook Keyframes From Floats",
    experimental=True,
)
def create_hook_keyframes_from_floats(
    floats_strength: Floats,
    start_percent: Percent = 0.0,
    end_percent: Percent = 1.0,
    print_keyframes: bool = False,
    prev_hook_kf: HookKeyframes | None = None,
) -> Schedule:
    """Let hooks count as a list of numbers says, in equal steps of time.

    ``print_keyframes`` writes them to the log. Not compared with the reference.
    """
    given = floats_strength if isinstance(floats_strength, list | tuple) else [floats_strength]
    if not given or not all(isinstance(each, int | float) and math.isfinite(each) for each in given):
        raise InputError(
            "These are no strengths.", input="floats_strength", got=floats_strength, expected="numbers, at least one"
        )
    return _joined(prev_hook_kf, _spread([*map(float, given)], start_percent, end_percent, print_keyframes))


def _spread(strengths: Sequence[float], start: float, end: float, is_told: bool) -> list[HookKeyframe]:
    """Return a keyframe for each strength, in equal steps of time. Only the first of them waits for a step."""
    step = (end - start) / max(1, len(strengths) - 1)
    frames = [HookKeyframe(strength, start + step * place, int(place == 0)) for place, strength in enumerate(strengths)]
    for frame in frames if is_told else ():
        log.info("Hook keyframe: strength %g from %g on.", frame.strength, frame.start)
    return frames


def _joined(before: HookKeyframes | None, frames: Sequence[HookKeyframe]) -> Schedule:
    return Schedule(tuple(sorted((*(before or ()), *frames), key=lambda frame: frame.start)))
