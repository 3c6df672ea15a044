"""LoRAs that were trained, as values: lay them over models, and save them as files."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from engine.context import Context
from engine.node import Artifact, Field, OptionalInput, Shown, Widget, node
from nodes.image import check_prefix
from nodes.lazy import lazy
from nodes.recipes import LoraModel, LoraPatch, Model

if TYPE_CHECKING:
    from nodes.models import saving, service, weights
    from nodes.training import train_lora
else:
    saving = lazy("nodes.models.saving")
    service = lazy("nodes.models.service")
    train_lora = lazy("nodes.training.train_lora")
    weights = lazy("nodes.models.weights")


@node("LoraModelLoader", category="loaders", display_name="Load LoRA Model", experimental=True, resource="io")
def load_lora_model(
    ctx: Context,
    model: Annotated[Model, Widget(tooltip="The diffusion model the LoRA will be applied to.")],
    lora: Annotated[LoraModel, Widget(tooltip="The LoRA model to apply to the diffusion model.")],
    strength_model: Annotated[
        float, Field(ge=-100.0, le=100.0), Widget(step=0.01, tooltip="How strongly to modify the diffusion model.")
    ] = 1.0,
) -> Model:
    """Lay a LoRA that TrainLoraNode trained over a model. Strength 0 changes nothing."""
    ctx.use(service.pool).unused(weights.in_memory(weights.TRAINED, lora.tensors), [model.file])
    if not strength_model:
        return model
    return replace(model, patches=(*model.patches, LoraPatch(lora.reference, strength_model)))


@node(
    "SaveLoRANode",
    category="loaders",
    display_name="Save LoRA Weights",
    output_node=True,
    experimental=True,
    validate={"prefix": check_prefix},
    resource="io",
)
def save_lora(
    lora: Annotated[LoraModel, Widget(tooltip="The LoRA model to save. Do not use the model with LoRA layers.")],
    prefix: Annotated[str, Widget(tooltip="How the file name begins.")] = "loras/ComfyUI_trained_lora",
    steps: Annotated[
        int | None, OptionalInput(), Widget(forceInput=True, tooltip="How long it was trained, for the file name.")
    ] = None,
) -> Shown[None]:
    """Save a LoRA that was trained as a file in the output folder, in kohya's layout; LoraLoader loads it."""
    check_prefix(prefix)
    content = {name: saving.ready(tensor) for name, tensor in lora.tensors.items()}
    about = {} if steps is None else {train_lora.STEPS: str(steps)}
    named = prefix if steps is None else f"{prefix}_{steps}_steps"
    return Shown(None, (Artifact(saving.serialized(content, about), named, suffix=".safetensors", kind="models"),))
