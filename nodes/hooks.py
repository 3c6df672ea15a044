"""Create LoRAs and models that count for some prompts only, join them, and hang them on text encoders."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, NamedTuple

from engine.context import Context
from engine.node import Field, Files, Widget, node
from nodes.conditioning import Percent
from nodes.lazy import lazy
from nodes.recipes import Clip, FileRef
from nodes.weight_hooks import LORAS, ClipHooks, Hooks, TimestepsRange, WeightHook, combined

if TYPE_CHECKING:
    from nodes.models import files, service
    from nodes.models.pool import Pool
else:
    files = lazy("nodes.models.files")
    service = lazy("nodes.models.service")

LoraName = Annotated[str, Files(LORAS)]
ModelName = Annotated[str, Files("checkpoints")]
HookStrength = Annotated[float, Field(ge=-20.0, le=20.0), Widget(step=0.01)]

CREATE, COMBINE = "advanced/hooks/create", "advanced/hooks/combine"


@node("CreateHookLora", category=CREATE, display_name="Create Hook LoRA", experimental=True)
def create_hook_lora(
    ctx: Context,
    lora_name: LoraName,
    strength_model: HookStrength = 1.0,
    strength_clip: HookStrength = 1.0,
    prev_hooks: Hooks | None = None,
) -> Hooks:
    """Name a LoRA that prompts can carry, so that it counts for them and not for others.

    Not compared with the reference.
    """
    return _created(ctx, LORAS, lora_name, strength_model, strength_clip, prev_hooks)


@node("CreateHookLoraModelOnly", category=CREATE, display_name="Create Hook LoRA (MO)", experimental=True)
def create_hook_lora_model_only(
    ctx: Context, lora_name: LoraName, strength_model: HookStrength = 1.0, prev_hooks: Hooks | None = None
) -> Hooks:
    """Name a LoRA that prompts can carry, and that leaves text encoders alone. Not compared with the reference."""
    return _created(ctx, LORAS, lora_name, strength_model, 0.0, prev_hooks)


@node("CreateHookModelAsLora", category=CREATE, display_name="Create Hook Model as LoRA", experimental=True)
def create_hook_model_as_lora(
    ctx: Context,
    ckpt_name: ModelName,
    strength_model: HookStrength = 1.0,
    strength_clip: HookStrength = 1.0,
    prev_hooks: Hooks | None = None,
) -> Hooks:
    """Name a checkpoint that prompts can carry: at strength 1 its weights take the place of those in use.

    What counts is its difference to the file that the model in use comes from, so LoRAs on that one stay. Not compared
    with the reference.
    """
    files.detected(ctx, "checkpoints", ckpt_name, *(("unet", "text") if strength_clip else ("unet",)))
    return _created(ctx, "checkpoints", ckpt_name, strength_model, strength_clip, prev_hooks)


@node(
    "CreateHookModelAsLoraModelOnly", category=CREATE, display_name="Create Hook Model as LoRA (MO)", experimental=True
)
def create_hook_model_as_lora_model_only(
    ctx: Context, ckpt_name: ModelName, strength_model: HookStrength = 1.0, prev_hooks: Hooks | None = None
) -> Hooks:
    """Name a checkpoint that prompts can carry and that leaves text encoders alone. Not compared with the reference."""
    files.detected(ctx, "checkpoints", ckpt_name, "unet")
    return _created(ctx, "checkpoints", ckpt_name, strength_model, 0.0, prev_hooks)


@node("CombineHooks2", category=COMBINE, display_name="Combine Hooks [2]", experimental=True)
def combine_hooks_2(hooks_A: Hooks | None = None, hooks_B: Hooks | None = None) -> Hooks:
    """Let hooks count together. Equal ones count once. Not compared with the reference."""
    return combined(hooks_A, hooks_B)


@node("CombineHooks4", category=COMBINE, display_name="Combine Hooks [4]", experimental=True)
def combine_hooks_4(
    hooks_A: Hooks | None = None,
    hooks_B: Hooks | None = None,
    hooks_C: Hooks | None = None,
    hooks_D: Hooks | None = None,
) -> Hooks:
    """Let hooks count together. Equal ones count once. Not compared with the reference."""
    return combined(hooks_A, hooks_B, hooks_C, hooks_D)


@node("CombineHooks8", category=COMBINE, display_name="Combine Hooks [8]", experimental=True)
def combine_hooks_8(
    hooks_A: Hooks | None = None,
    hooks_B: Hooks | None = None,
    hooks_C: Hooks | None = None,
    hooks_D: Hooks | None = None,
    hooks_E: Hooks | None = None,
    hooks_F: Hooks | None = None,
    hooks_G: Hooks | None = None,
    hooks_H: Hooks | None = None,
) -> Hooks:
    """Let hooks count together. Equal ones count once. Not compared with the reference."""
    return combined(hooks_A, hooks_B, hooks_C, hooks_D, hooks_E, hooks_F, hooks_G, hooks_H)


@node("SetClipHooks", category="advanced/hooks/clip", display_name="Set CLIP Hooks", experimental=True, resource="io")
def set_clip_hooks(
    ctx: Context, clip: Clip, apply_to_conds: bool = True, schedule_clip: bool = False, hooks: Hooks | None = None
) -> Clip:
    """Let hooks count while prompts are encoded, instead of those that the text encoders had.

    With ``apply_to_conds`` the prompts carry them from then on. With ``schedule_clip`` a prompt is encoded for each
    strength that the keyframes have, else once without them. Not compared with the reference.
    """
    if not hooks:
        return clip
    _check(ctx.use(service.pool), clip, hooks)
    return replace(clip, options=(ClipHooks(hooks, apply_to_conds, schedule_clip),))


def _check(models: "Pool", clip: Clip, hooks: Hooks) -> None:
    """Raise ModelError where a LoRA is made for another family, which text encoders alone do not tell."""
    if any(models.checkpoint(file).unet for file in clip.files):
        for hook in hooks:
            if hook.file.folder == LORAS and hook.strength_clip:
                models.unused(models.weights(hook.file), clip.files)


class Ranges(NamedTuple):
    TIMESTEPS_RANGE: TimestepsRange
    BEFORE_RANGE: TimestepsRange
    AFTER_RANGE: TimestepsRange


@node("ConditioningTimestepsRange", category="advanced/hooks", display_name="Timesteps Range", experimental=True)
def conditioning_timesteps_range(start_percent: Percent = 0.0, end_percent: Percent = 1.0) -> Ranges:
    """Name a part of the sampling, and what lies before and after it; 0 is the beginning, 1 the end."""
    return Ranges((start_percent, end_percent), (0.0, start_percent), (end_percent, 1.0))


def _created(ctx: Context, folder: str, name: str, model: float, clip: float, before: Hooks | None) -> Hooks:
    return (*(before or ()), WeightHook(FileRef(folder, ctx.fingerprint(folder, name)), model, clip))
