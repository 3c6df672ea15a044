"""Save models as files: what a recipe says, written out."""

from typing import TYPE_CHECKING, Annotated, Literal

from engine.context import Context
from engine.errors import InputError
from engine.node import Artifact, Field, OptionalInput, Shown, Widget, node
from nodes.image import check_prefix
from nodes.lazy import lazy
from nodes.recipes import Clip, Model, Vae

if TYPE_CHECKING:
    from nodes.models import extraction, saving, service
else:
    extraction = lazy("nodes.models.extraction")
    saving = lazy("nodes.models.saving")
    service = lazy("nodes.models.service")

CATEGORY = "advanced/model_merging"
SUFFIX = ".safetensors"
VALIDATE = {"filename_prefix": check_prefix}


@node(
    "CheckpointSave",
    version=3,
    category=CATEGORY,
    display_name="Save Checkpoint",
    output_node=True,
    validate=VALIDATE,
    resource="io",
)
def checkpoint_save(
    ctx: Context, model: Model, clip: Clip, vae: Vae, filename_prefix: str = "checkpoints/ComfyUI"
) -> Shown[None]:
    """Save a model, its text encoders and its VAE as one checkpoint in the output folder, with the workflow inside.

    Patches are merged in; each tensor has the dtype that it has in its file. Options of the model are left out, but
    for what it predicts.
    """
    pool = ctx.use(service.pool)
    content = (
        saving.diffusion_model(pool, model) | saving.text(pool, clip) | saving.vae(pool, vae, "first_stage_model.")
    )
    return _file(saving.serialized(content, saving.metadata(pool, model.file, model)), filename_prefix)


@node("ModelSave", version=2, category=CATEGORY, output_node=True, validate=VALIDATE, resource="io")
def model_save(ctx: Context, model: Model, filename_prefix: str = "diffusion_models/ComfyUI") -> Shown[None]:
    """Save a diffusion model without text encoders and VAE; UNETLoader loads it."""
    pool = ctx.use(service.pool)
    about = saving.metadata(pool, model.file, model)
    return _file(saving.serialized(saving.diffusion_model(pool, model), about), filename_prefix)


@node("CLIPSave", version=3, category=CATEGORY, output_node=True, validate=VALIDATE, resource="io")
def clip_save(ctx: Context, clip: Clip, filename_prefix: str = "clip/ComfyUI") -> Shown[None]:
    """Save each text encoder as a file of its own, named after it; CLIPLoader and DualCLIPLoader load them."""
    check_prefix(filename_prefix)
    pool = ctx.use(service.pool)
    artifacts = []
    for file, encoder in pool.encoders(clip):
        content = saving.alone(encoder, saving.encoder_content(pool, clip, file, encoder))
        data = saving.serialized(content, saving.metadata(pool, file))
        artifacts.append(Artifact(data, f"{filename_prefix}_clip_{encoder.name}", suffix=SUFFIX, kind="models"))
    return Shown(None, tuple(artifacts))


@node("VAESave", category=CATEGORY, output_node=True, validate=VALIDATE, resource="io")
def vae_save(ctx: Context, vae: Vae, filename_prefix: str = "vae/ComfyUI_vae") -> Shown[None]:
    """Save an image autoencoder; VAELoader loads it."""
    pool = ctx.use(service.pool)
    data = saving.serialized(saving.vae(pool, vae, ""), saving.metadata(pool, vae.file))
    return _file(data, filename_prefix)


@node(
    "LoraSave",
    category="_for_testing",
    display_name="Extract and Save Lora",
    output_node=True,
    experimental=True,
    validate=VALIDATE,
    resource="gpu",
    numeric=True,
)
def lora_save(
    ctx: Context,
    filename_prefix: Annotated[str, Widget(multiline=False)] = "loras/ComfyUI_extracted_lora",
    rank: Annotated[int, Field(ge=1, le=4096), Widget(step=1)] = 8,
    *,
    lora_type: Literal["standard", "full_diff"],
    bias_diff: bool = True,
    model_diff: Annotated[
        Model | None, OptionalInput(), Widget(tooltip="What ModelMergeSubtract gives, to become a LoRA.")
    ] = None,
    text_encoder_diff: Annotated[
        Clip | None, OptionalInput(), Widget(tooltip="What CLIPMergeSubtract gives, to become a LoRA.")
    ] = None,
) -> Shown[None]:
    """Save differences of weights as a LoRA: products of a rank, or whole ones, which take more room.

    Not compared with the reference.
    """
    check_prefix(filename_prefix)
    pool = ctx.use(service.pool)
    differences = saving.named_for_lora(pool, model_diff, text_encoder_diff)
    if not differences:
        raise InputError(
            "There is nothing to make a LoRA of.",
            input="model_diff",
            expected="a difference of models, or of text encoders",
            hint="Link ModelMergeSubtract to model_diff, or CLIPMergeSubtract to text_encoder_diff.",
        )
    content = extraction.extracted(
        differences, rank, lora_type, bias_diff, pool.device, lambda done: ctx.progress(done, len(differences))
    )
    return _file(saving.serialized(content, {}), filename_prefix)


def _file(data: bytes, prefix: str) -> Shown[None]:
    check_prefix(prefix)
    return Shown(None, (Artifact(data, prefix, suffix=SUFFIX, kind="models"),))
