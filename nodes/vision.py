"""Encode pictures with CLIP, and let a prompt take them in."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from engine.context import Context
from engine.errors import InputError, ModelError
from engine.node import Field, Files, Widget, node
from engine.types import Image
from nodes.lazy import lazy
from nodes.recipes import (
    Clip,
    ClipVision,
    ClipVisionOutput,
    Conditioning,
    FileRef,
    Model,
    StyleModel,
    Unclip,
    Vae,
)

if TYPE_CHECKING:
    import torch

    from nodes.models import files, service
    from nodes.models.families import clip_vision
else:
    torch = lazy("torch")
    files = lazy("nodes.models.files")
    service = lazy("nodes.models.service")
    clip_vision = lazy("nodes.models.families.clip_vision")

ENCODERS, STYLES = "clip_vision", "style_models"


@node("CLIPVisionLoader", category="loaders", display_name="Load CLIP Vision", resource="io")
def load_clip_vision(ctx: Context, clip_name: Annotated[str, Files(ENCODERS)]) -> ClipVision:
    """Load a CLIP image encoder, in transformers' layout or in OpenCLIP's."""
    weights = files.opened(ctx, ENCODERS, clip_name)
    used = {*clip_vision.detect(weights).keys.values()}
    left = [name for name in weights.infos if name not in used and not name.endswith("position_ids")]
    files.tell_unused(ctx, clip_name, left, "an image encoder")
    return ClipVision(FileRef(ENCODERS, ctx.fingerprint(ENCODERS, clip_name)))


@node("CLIPVisionEncode", category="conditioning", display_name="CLIP Vision Encode", resource="gpu", numeric=True)
def clip_vision_encode(
    ctx: Context, clip_vision: ClipVision, image: Image, crop: Literal["center", "none"]
) -> ClipVisionOutput:
    """Encode pictures. Those that are not square are cut, or else their proportions change.

    Not compared with the reference.
    """
    return ctx.use(service.pool).image_encoder(clip_vision)(image, crop == "center")


@node("StyleModelLoader", category="loaders", display_name="Load Style Model", resource="io")
def load_style_model(ctx: Context, style_model_name: Annotated[str, Files(STYLES)]) -> StyleModel:
    """Load a style model: the style adapter of T2I-Adapter."""
    model = StyleModel(FileRef(STYLES, ctx.fingerprint(STYLES, style_model_name)))
    ctx.use(service.pool).style_model(model)
    return model


@node(
    "StyleModelApply",
    category="conditioning/style_model",
    display_name="Apply Style Model",
    resource="gpu",
    numeric=True,
)
def apply_style_model(
    ctx: Context,
    conditioning: Conditioning,
    style_model: StyleModel,
    clip_vision_output: ClipVisionOutput,
    strength: Annotated[float, Field(ge=0.0, le=10.0), Widget(step=0.001)] = 1.0,
    *,
    strength_type: Literal["multiply", "attn_bias"],
) -> Conditioning:
    """Put what a style model makes of pictures behind a prompt, multiplied by a strength.

    Not compared with the reference.
    """
    if strength_type == "attn_bias" and strength != 1.0:
        raise InputError(
            "A bias of attention is not supported yet.",
            input="strength_type",
            got=strength_type,
            expected="multiply, or a strength of 1",
        )
    adapter, seen = ctx.use(service.pool).style_model(style_model), clip_vision_output.last
    if seen.shape[-1] != adapter.width:
        raise ModelError(
            "The style model does not fit the image encoder: it is made for another one.",
            got=f"hidden states of width {seen.shape[-1]}",
            expected=f"width {adapter.width}",
            hint="Encode the picture with the encoder that the style model was made for, CLIP's ViT-L/14 usually.",
        )
    device = next(adapter.parameters()).device
    tokens = adapter(seen.to(device)).flatten(0, 1)[None].cpu() * strength
    for cond in conditioning.entries:
        if cond.context.shape[-1] != tokens.shape[-1]:
            raise ModelError(
                "The style model does not fit the prompt: it is made for another family of models.",
                got=f"a prompt of width {cond.context.shape[-1]}",
                expected=f"width {tokens.shape[-1]}",
            )
    entries = (replace(cond, context=torch.cat([cond.context, tokens], 1)) for cond in conditioning.entries)
    return Conditioning(tuple(entries))


class LoadedUnclip(NamedTuple):
    MODEL: Model
    CLIP: Clip
    VAE: Vae
    CLIP_VISION: ClipVision


@node("unCLIPCheckpointLoader", category="loaders", resource="io")
def load_unclip(ctx: Context, ckpt_name: Annotated[str, Files("checkpoints")]) -> LoadedUnclip:
    """Load an unCLIP checkpoint: a diffusion model that also follows pictures, with the encoder for them."""
    weights = files.opened(ctx, "checkpoints", ckpt_name)
    seen = {*clip_vision.detect(weights).keys.values()}
    files.detected(ctx, "checkpoints", ckpt_name, "unet", used=seen)
    file = FileRef("checkpoints", ctx.fingerprint("checkpoints", ckpt_name))
    return LoadedUnclip(Model(file), Clip(file), Vae(file), ClipVision(file))


@node("unCLIPConditioning", category="conditioning")
def unclip_conditioning(
    conditioning: Conditioning,
    clip_vision_output: ClipVisionOutput,
    strength: Annotated[float, Field(ge=-10.0, le=10.0), Widget(step=0.01)] = 1.0,
    noise_augmentation: Annotated[float, Field(ge=0.0, le=1.0), Widget(step=0.01)] = 0.0,
) -> Conditioning:
    """Let an unCLIP model follow pictures besides a prompt; noise lets it keep less to them.

    Not compared with the reference.
    """
    if not strength:
        return conditioning
    picture = Unclip(clip_vision_output.embeds, strength, noise_augmentation)
    entries = (
        replace(cond, options={**cond.options, "unclip": (*cond.options.get("unclip", ()), picture)})
        for cond in conditioning.entries
    )
    return Conditioning(tuple(entries))
