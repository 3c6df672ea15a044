"""Steer sampling by pictures: ControlNets."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from engine.context import Context
from engine.errors import ModelError
from engine.node import Field, Files, OptionalInput, Widget, node
from engine.types import Image
from nodes.lazy import lazy
from nodes.recipes import Conditioning, Control, ControlNet, FileRef, Model, Vae

if TYPE_CHECKING:
    from nodes.models import control_files, files, service
else:
    control_files = lazy("nodes.models.control_files")
    files = lazy("nodes.models.files")
    service = lazy("nodes.models.service")

FOLDER = "controlnet"

Strength = Annotated[float, Field(ge=0.0, le=10.0), Widget(step=0.01)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0), Widget(step=0.001)]


class Steered(NamedTuple):
    positive: Conditioning
    negative: Conditioning


@node("ControlNetLoader", version=3, category="loaders", display_name="Load ControlNet Model", resource="io")
def load_controlnet(ctx: Context, control_net_name: Annotated[str, Files(FOLDER)]) -> ControlNet:
    """Load a ControlNet, also a union of several or a control-LoRA, or a T2I-Adapter.

    They may be in the original layout or in diffusers'.
    """
    return _loaded(ctx, control_net_name)


@node(
    "DiffControlNetLoader",
    version=2,
    category="loaders",
    display_name="Load ControlNet Model (diff)",
    resource="io",
)
def load_difference(ctx: Context, model: Model, control_net_name: Annotated[str, Files(FOLDER)]) -> ControlNet:
    """Load a ControlNet whose file holds differences from the weights of a model; any other loads as it is."""
    return _loaded(ctx, control_net_name, model.file)


def _loaded(ctx: Context, name: str, base: FileRef | None = None) -> ControlNet:
    net = ControlNet(FileRef(FOLDER, ctx.fingerprint(FOLDER, name)), base)
    weights = ctx.use(service.pool).weights(net.file)
    if base is None and control_files.is_difference(weights):
        raise ModelError(
            f"{name} holds differences from the weights of a model, and no model is given.",
            got="a ControlNet as differences",
            expected="a whole ControlNet",
            hint="Load it with DiffControlNetLoader, which takes the model.",
        )
    files.tell_unused(ctx, name, control_files.unused(weights), "a ControlNet")
    return net


PictureType = Literal[
    "auto", "openpose", "depth", "hed/pidi/scribble/ted", "canny/lineart/anime_lineart/mlsd", "normal", "segment",
    "tile", "repaint",
]  # fmt: skip


@node("SetUnionControlNetType", category="conditioning/controlnet", resource="io")
def set_union_type(ctx: Context, control_net: ControlNet, *, type: PictureType) -> ControlNet:
    """Tell a union ControlNet what kind of picture it gets; with auto it is not told. Not compared with the reference.

    Another ControlNet is left as it is.
    """
    known = control_files.types(ctx.use(service.pool).weights(control_net.file))
    if not known and type != "auto":
        ctx.warn(f"The ControlNet is made for one kind of picture, so the type {type} says nothing to it.")
    if not known or type == "auto":
        return replace(control_net, type=None)
    if type not in known:
        raise ModelError(
            f"The ControlNet knows no pictures of the type {type}.",
            got=type,
            expected=known,
            hint="Choose another type, or a ControlNet that knows it.",
        )
    return replace(control_net, type=known.index(type))


@node("ControlNetApply", category="conditioning/controlnet", display_name="Apply ControlNet (OLD)", deprecated=True)
def apply_controlnet(
    conditioning: Conditioning, control_net: ControlNet, image: Image, strength: Strength = 1.0
) -> Conditioning:
    """Steer prompts by a picture, and with them the negative prompts of the sampler that gets them."""
    if not strength:
        return conditioning
    return _steered(conditioning, Control(control_net, image, strength), both=True)


@node("ControlNetApplyAdvanced", category="conditioning/controlnet", display_name="Apply ControlNet")
def apply_controlnet_advanced(
    positive: Conditioning,
    negative: Conditioning,
    control_net: ControlNet,
    image: Image,
    strength: Strength = 1.0,
    start_percent: Fraction = 0.0,
    end_percent: Fraction = 1.0,
    vae: Annotated[Vae | None, OptionalInput()] = None,
) -> Steered:
    """Steer prompts by a picture over a part of the sampling, given as fractions of the way.

    The VAE is for families whose ControlNets look at latents; those of Stable Diffusion look at the picture.
    """
    if not strength:
        return Steered(positive, negative)
    control = Control(control_net, image, strength, start_percent, end_percent)
    return Steered(_steered(positive, control, both=False), _steered(negative, control, both=False))


@node(
    "ControlNetApplySD3", category="conditioning/controlnet", display_name="Apply Controlnet with VAE", deprecated=True
)
def apply_controlnet_sd3(
    positive: Conditioning,
    negative: Conditioning,
    control_net: ControlNet,
    vae: Vae,
    image: Image,
    strength: Strength = 1.0,
    start_percent: Fraction = 0.0,
    end_percent: Fraction = 1.0,
) -> Steered:
    """Steer prompts by a picture, as ControlNetApplyAdvanced does with a VAE.

    ControlNets for Stable Diffusion 3 and Flux are not known yet: sampling with one is an error that says so.
    """
    return apply_controlnet_advanced(positive, negative, control_net, image, strength, start_percent, end_percent, vae)


def _steered(conditioning: Conditioning, control: Control, *, both: bool) -> Conditioning:
    """Return prompts with a ControlNet behind those that they have."""
    return Conditioning(
        tuple(
            replace(
                cond,
                options={
                    **cond.options,
                    "control": (*cond.options.get("control", ()), control),
                    "control_both": both,
                },
            )
            for cond in conditioning.entries
        )
    )
