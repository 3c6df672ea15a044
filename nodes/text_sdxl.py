"""Encode prompts for SDXL and its refiner, with the sizes that they were trained to be told."""

from typing import Annotated

from engine.context import Context
from engine.node import Field, Widget, node
from nodes.inputs import MAX_SIDE
from nodes.recipes import Clip, Conditioning
from nodes.text import Prompt, conditioning

Side = Annotated[int, Field(ge=0, le=MAX_SIDE)]


@node("CLIPTextEncodeSDXL", version=5, category="advanced/conditioning", resource="gpu", numeric=True)
def clip_text_encode_sdxl(
    ctx: Context,
    clip: Clip,
    *,
    width: Side = 1024,
    height: Side = 1024,
    crop_w: Side = 0,
    crop_h: Side = 0,
    target_width: Side = 1024,
    target_height: Side = 1024,
    text_g: Prompt,
    text_l: Prompt,
) -> Conditioning:
    """Encode a prompt for each of SDXL's text encoders, and state sizes in pixels.

    ``width`` and ``height`` are those of the picture that the model shall draw from memory, ``crop_w`` and ``crop_h``
    where its cut begins, the targets the size of the cut.
    """
    sizes = {
        "width": width,
        "height": height,
        "crop_w": crop_w,
        "crop_h": crop_h,
        "target_width": target_width,
        "target_height": target_height,
    }
    return conditioning(ctx, text_g, clip, sizes, {"g": text_g, "l": text_l})


@node("CLIPTextEncodeSDXLRefiner", version=5, category="advanced/conditioning", resource="gpu", numeric=True)
def clip_text_encode_sdxl_refiner(
    ctx: Context,
    *,
    ascore: Annotated[float, Field(ge=0.0, le=1000.0), Widget(step=0.01)] = 6.0,
    width: Side = 1024,
    height: Side = 1024,
    text: Prompt,
    clip: Clip,
) -> Conditioning:
    """Encode a prompt for SDXL's refiner, with the aesthetic score to aim at and a size in pixels."""
    options = {"aesthetic_score": ascore, "width": width, "height": height}
    return conditioning(ctx, text, clip, options)
