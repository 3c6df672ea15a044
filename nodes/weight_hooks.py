"""Changes of weights that count for some prompts only, and for a time: values on wires, and what recipes they make.

The ecosystem calls them hooks. Learned from the pages that describe them (blog.comfy.org, "Masking and Scheduling LoRA
and Model Weights") and from AnimateDiff-Evolved (Apache-2.0), where they come from.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Annotated, Any

from engine.types import Socket
from engine.values import wire
from nodes.recipes import Clip, FileRef, LoraPatch, Merge, Model, WeightPatch

LORAS = "loras"


@wire("HookKeyframe")
@dataclass(frozen=True, slots=True)
class HookKeyframe:
    """From ``start`` on, a part of the sampling from 0 to 1, a hook counts ``strength`` times as much.

    It counts for ``steps`` noise levels at least before the next one does, unless it starts before what is sampled.
    """

    strength: float
    start: float = 0.0
    steps: int = 1


HookKeyframes = Annotated[tuple[HookKeyframe, ...], Socket("HOOK_KEYFRAMES")]
"""Keyframes in the order in which they start."""


@wire("WeightHook")
@dataclass(frozen=True, slots=True)
class WeightHook:
    """A change of weights for some prompts: a LoRA, or the difference of a whole model to the one in use.

    Which of both it is the folder of ``file`` tells. Without ``keyframes`` it counts the same all the time; the first
    one counts from the beginning on, whenever it starts.
    """

    file: FileRef
    strength_model: float
    strength_clip: float
    keyframes: HookKeyframes = ()


Hooks = Annotated[tuple[WeightHook, ...], Socket("HOOKS")]
"""Hooks that count together."""

TimestepsRange = Annotated[tuple[float, float], Socket("TIMESTEPS_RANGE")]
"""Beginning and end of a part of the sampling, 0 to 1."""


@wire("ClipHooks")
@dataclass(frozen=True, slots=True)
class ClipHooks:
    """An option of text encoders: hooks that count while they encode a prompt.

    With ``to_conds`` the prompt carries them from then on; with ``scheduled`` it is encoded for each strength that the
    keyframes have, else once, without keyframes.
    """

    hooks: Hooks
    to_conds: bool
    scheduled: bool


def combined(*groups: Hooks | None) -> Hooks:
    """Return hooks together, in order. One that is in several groups counts as often as in the group with the most."""
    found: list[WeightHook] = []
    for group in groups:
        missing = Counter(group or ()) - Counter(found)
        for hook in group or ():
            if missing[hook] > 0:
                missing[hook] -= 1
                found.append(hook)
    return tuple(found)


def model_patches(hook: WeightHook, multiplier: float, model: Model) -> tuple[WeightPatch, ...]:
    """Return what a hook adds to the patches of a model, times ``multiplier``."""
    strength = hook.strength_model * multiplier
    return _patches(hook.file, strength, Model(hook.file), Model(model.file))


def text_patches(hook: WeightHook, multiplier: float, clip: Clip) -> tuple[WeightPatch, ...]:
    """Return what a hook adds to the patches of text encoders, times ``multiplier``."""
    strength = hook.strength_clip * multiplier
    return _patches(hook.file, strength, Clip(hook.file), replace(clip, patches=(), layer=None, options=()))


def _patches(file: FileRef, strength: float, whole: Model | Clip, base: Model | Clip) -> tuple[WeightPatch, ...]:
    if not strength:
        return ()
    if file.folder == LORAS:
        return (LoraPatch(file, strength),)
    return Merge(whole, (("", 1.0, strength),)), Merge(base, (("", 1.0, -strength),))


def hooked_clips(clip: Clip) -> list[tuple[Clip, dict[str, Any]]]:
    """Return text encoders under their hooks, with the options of the prompts that they encode.

    There is one for each part of the sampling in which the strengths differ; the options say which part it is.
    """
    chosen = next((option for option in reversed(clip.options) if isinstance(option, ClipHooks)), None)
    others = (option for option in clip.options if not isinstance(option, ClipHooks))
    plain = replace(clip, options=tuple(others))
    if chosen is None:
        return [(plain, {})]
    options = {"hooks": chosen.hooks} if chosen.to_conds else {}
    if not chosen.scheduled:
        return [(_under(plain, [(hook, 1.0) for hook in chosen.hooks]), options)]
    found = []
    for start, end, strengths in _stretches([hook.keyframes for hook in chosen.hooks if hook.strength_clip]):
        hooks = zip((hook for hook in chosen.hooks if hook.strength_clip), strengths, strict=True)
        part = {} if (start, end) == (0.0, 1.0) else {"clip_start_percent": start, "clip_end_percent": end}
        found.append((_under(plain, [*hooks]), {**options, **part}))
    return found


def _under(clip: Clip, hooks: Sequence[tuple[WeightHook, float]]) -> Clip:
    patches = (patch for hook, multiplier in hooks for patch in text_patches(hook, multiplier, clip))
    return replace(clip, patches=(*clip.patches, *patches))


def _stretches(schedules: Sequence[HookKeyframes]) -> list[tuple[float, float, tuple[float, ...]]]:
    """Return (start, end, strength by each schedule) of the parts of the sampling between which strengths change."""
    borders = {0.0, 1.0, *(frame.start for frames in schedules for frame in frames)}
    parts = [(*span, tuple(_strength(frames, span[0]) for frames in schedules)) for span in pairwise(sorted(borders))]
    together = ((strengths, [*group]) for strengths, group in groupby(parts, key=lambda part: part[2]))
    return [(group[0][0], group[-1][1], strengths) for strengths, group in together]


def _strength(frames: HookKeyframes, at: float) -> float:
    begun = [frame for frame in frames if frame.start <= at] or frames[:1]
    return begun[-1].strength if begun else 1.0


def hooks_of(options: Mapping[str, Any]) -> Hooks:
    """Return the hooks that the options of a prompt have for the diffusion network."""
    hooks: Hooks = options.get("hooks") or ()
    return tuple(hook for hook in hooks if hook.strength_model)
