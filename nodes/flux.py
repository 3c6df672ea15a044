"""Prompts for Flux, and the pictures that Kontext refers to. Nothing here is compared with the reference."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from engine.context import Context
from engine.node import Field, OptionalInput, Widget, node
from engine.types import Image
from nodes.conditioning import with_options
from nodes.lazy import lazy
from nodes.recipes import Clip, Cond, Conditioning, Latent
from nodes.text import Prompt
from nodes.text import conditioning as encoded

if TYPE_CHECKING:
    from nodes.pixels import resize
else:
    resize = lazy("nodes.pixels.resize")

CATEGORY = "advanced/conditioning/flux"

GuidanceScale = Annotated[float, Field(ge=0.0, le=100.0), Widget(step=0.1)]

KONTEXT_SIZES = (
    (672, 1568), (688, 1504), (720, 1456), (752, 1392), (800, 1328), (832, 1248), (880, 1184), (944, 1104),
    (1024, 1024), (1104, 944), (1184, 880), (1248, 832), (1328, 800), (1392, 752), (1456, 720), (1504, 688),
    (1568, 672),
)  # fmt: skip
"""Width and height of the pictures that Kontext was trained on (Black Forest Labs, flux, Apache-2.0)."""


@node("CLIPTextEncodeFlux", version=2, category=CATEGORY, resource="gpu", numeric=True)
def clip_text_encode_flux(
    ctx: Context, clip: Clip, *, clip_l: Prompt, t5xxl: Prompt, guidance: GuidanceScale = 3.5
) -> Conditioning:
    """Encode a prompt for each of Flux's text encoders, and say how closely to follow it."""
    return encoded(ctx, t5xxl, clip, {"guidance": guidance}, {"l": clip_l, "t5xxl": t5xxl})


@node("FluxGuidance", category=CATEGORY)
def flux_guidance(conditioning: Conditioning, guidance: GuidanceScale = 3.5) -> Conditioning:
    """Say how closely a model that was distilled from guidance shall follow a prompt."""
    return with_options(conditioning, guidance=guidance)


@node("FluxDisableGuidance", category=CATEGORY)
def flux_disable_guidance(conditioning: Conditioning) -> Conditioning:
    """Tell a model that was distilled from guidance no scale at all."""
    return with_options(conditioning, guidance=None)


@node("FluxKontextImageScale", category=CATEGORY, resource="cpu")
def flux_kontext_image_scale(image: Image) -> Image:
    """Resize pictures to the size that Kontext was trained on which is nearest to their proportions."""
    ratio = image.shape[2] / image.shape[1]
    width, height = min(KONTEXT_SIZES, key=lambda size: abs(size[0] / size[1] - ratio))
    scaled = resize.resize(image.movedim(-1, 1), width, height, "lanczos", "center")
    return scaled.movedim(1, -1)


@node("ReferenceLatent", category="advanced/conditioning/edit_models")
def reference_latent(
    conditioning: Conditioning, latent: Annotated[Latent | None, OptionalInput()] = None
) -> Conditioning:
    """Let an editing model see one more picture, given as a latent."""
    if latent is None:
        return conditioning
    entries = (
        replace(cond, options={**cond.options, "reference_latents": (*_seen(cond), latent.samples)})
        for cond in conditioning.entries
    )
    return Conditioning(tuple(entries))


def _seen(cond: Cond) -> tuple[object, ...]:
    return tuple(cond.options.get("reference_latents", ()))


@node("FluxKontextMultiReferenceLatentMethod", category=CATEGORY, experimental=True)
def flux_kontext_multi_reference_latent_method(
    conditioning: Conditioning, *, reference_latents_method: Literal["offset", "index", "uxo/uno"]
) -> Conditioning:
    """Say where an editing model shall think several pictures: side by side, apart by numbers, or behind the latent."""
    return with_options(conditioning, reference_latents_method=reference_latents_method)
