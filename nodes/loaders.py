"""Load models. What these nodes give are recipes: only the header of a file is read."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, NamedTuple

from engine.context import Context
from engine.node import Field, Files, Widget, node
from nodes.lazy import lazy
from nodes.recipes import Clip, FileRef, LoraPatch, Model, Vae

if TYPE_CHECKING:
    from nodes.models import files, service
else:
    files = lazy("nodes.models.files")
    service = lazy("nodes.models.service")

Strength = Annotated[float, Field(ge=-100.0, le=100.0), Widget(step=0.01)]


class LoadedCheckpoint(NamedTuple):
    MODEL: Model
    CLIP: Clip
    VAE: Vae


class Patched(NamedTuple):
    MODEL: Model
    CLIP: Clip


@node("CheckpointLoaderSimple", category="loaders", display_name="Load Checkpoint", resource="io")
def load_checkpoint(
    ctx: Context,
    ckpt_name: Annotated[str, Files("checkpoints"), Widget(tooltip="The name of the checkpoint (model) to load.")],
) -> LoadedCheckpoint:
    """Load a checkpoint: a diffusion model with its text encoder and VAE."""
    files.detected(ctx, "checkpoints", ckpt_name, "unet")
    file = FileRef("checkpoints", ctx.fingerprint("checkpoints", ckpt_name))
    return LoadedCheckpoint(Model(file), Clip(file), Vae(file))


@node("VAELoader", category="loaders", display_name="Load VAE", resource="io")
def load_vae(ctx: Context, vae_name: Annotated[str, Files("vae")]) -> Vae:
    """Load an image autoencoder."""
    files.detected(ctx, "vae", vae_name, "vae")
    return Vae(FileRef("vae", ctx.fingerprint("vae", vae_name)))


LoraName = Annotated[str, Files("loras"), Widget(tooltip="The name of the LoRA.")]


@node("LoraLoader", category="loaders", display_name="Load LoRA", resource="io")
def load_lora(
    ctx: Context,
    model: Model,
    clip: Clip,
    lora_name: LoraName,
    strength_model: Strength = 1.0,
    strength_clip: Strength = 1.0,
) -> Patched:
    """Lay a LoRA over a model and its text encoder. Strength 0 leaves a part as it is."""
    file = _lora(ctx, lora_name, [model.file, *clip.files])
    if strength_clip:
        clip = replace(clip, patches=(*clip.patches, LoraPatch(file, strength_clip)))
    return Patched(_laid(model, file, strength_model), clip)


@node("LoraLoaderModelOnly", category="loaders", resource="io")
def load_lora_model_only(ctx: Context, model: Model, lora_name: LoraName, strength_model: Strength = 1.0) -> Model:
    """Lay a LoRA over a model and leave the text encoder alone. Strength 0 changes nothing."""
    return _laid(model, _lora(ctx, lora_name, [model.file]), strength_model)


def _lora(ctx: Context, name: str, bases: Sequence[FileRef]) -> FileRef:
    """Return a LoRA, and say what of it fits none of the files it is for."""
    file, models = FileRef("loras", ctx.fingerprint("loras", name)), ctx.use(service.pool)
    files.tell_unused(ctx, name, models.unused(models.weights(file), bases))
    return file


def _laid(model: Model, file: FileRef, strength: float) -> Model:
    return replace(model, patches=(*model.patches, LoraPatch(file, strength))) if strength else model
