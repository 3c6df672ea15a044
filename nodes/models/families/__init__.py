"""Model families, one file each. A family knows its files by keys and shapes and says how to build what is in them."""

from collections.abc import Callable, Iterable

from engine.errors import ModelError
from nodes.models.families import sd1, sd2, sdxl
from nodes.models.families.checkpoint import Checkpoint
from nodes.models.weights import AGAIN, Weights

FAMILIES: tuple[Callable[[Weights], Checkpoint | None], ...] = (sd2.detect, sdxl.detect, sd1.detect)
"""In the order in which they are asked. A new family is a file and a line here."""

MARKS: tuple[tuple[str, str], ...] = (
    ("conditioner.embedders.", "an SDXL checkpoint"),
    ("label_emb.", "a UNet of SDXL's kind"),
    ("cond_stage_model.model.", "a Stable Diffusion 2 checkpoint"),
    ("double_blocks.", "a Flux model"),
    ("joint_blocks.", "a Stable Diffusion 3 model"),
    ("control_model.", "a ControlNet"),
    ("input_hint_block.", "a ControlNet"),
    ("controlnet_cond_embedding.", "a ControlNet"),
    ("lora_", "a LoRA"),
    (".lora", "a LoRA"),
    ("string_to_param", "a textual inversion embedding"),
    ("emb_params", "a textual inversion embedding"),
    ("model.1.sub.", "an upscaler"),
    ("conv_first.", "an upscaler"),
    ("body.0.", "an upscaler"),
    ("vision_model.", "a CLIP vision model"),
    ("down_blocks.", "a network in diffusers' layout"),
    ("encoder.conv_in.", "an autoencoder of another family"),
    ("model.diffusion_model.", "a diffusion model of a family that is not known yet"),
)
"""Parts of names that tell what a file is when no family wants it; the first that fits counts."""


def detect(weights: Weights) -> Checkpoint:
    """Return what a file holds. Raises ModelError that names what the file looks like where no family knows it."""
    try:
        for family in FAMILIES:
            if found := family(weights):
                return found
    except (KeyError, IndexError, ValueError, StopIteration) as error:
        raise ModelError(
            f"the tensors of {weights.path.name} do not make up a model",
            got=repr(error),
            expected="the names and shapes of a whole checkpoint",
            hint=AGAIN,
        ) from error
    raise ModelError(
        f"{weights.path.name} is not of a family that is known",
        got=looks_like(weights.infos),
        expected="a checkpoint, text encoder or VAE of Stable Diffusion 1.x, 2.x or XL",
        hint="choose another file, or the node that loads this kind",
    )


def looks_like(names: Iterable[str]) -> str:
    """Say in words what a file looks like by the names of its tensors."""
    names = list(names)
    for mark, kind in MARKS:
        if any(name.startswith(mark) or f".{mark}" in f".{name}" for name in names):
            return f"looks like {kind}"
    shown = ", ".join(names[:3]) or "none"
    return f"{len(names)} tensors, the first are {shown}"
