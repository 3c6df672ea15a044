"""Prompts for boxes: GLIGEN."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from engine.context import Context
from engine.errors import ModelError
from engine.node import Field, Files, Widget, node
from nodes.inputs import CELL, MAX_SIDE, Place
from nodes.lazy import lazy
from nodes.recipes import Clip, Conditioning, FileRef, Gligen, GligenBox
from nodes.text import Prompt

if TYPE_CHECKING:
    from nodes.models import encode, service
else:
    encode = lazy("nodes.models.encode")
    service = lazy("nodes.models.service")

FOLDER = "gligen"

BoxSide = Annotated[int, Field(ge=8, le=MAX_SIDE), Widget(step=8)]


@node("GLIGENLoader", category="loaders", resource="io")
def load_gligen(ctx: Context, gligen_name: Annotated[str, Files(FOLDER)]) -> Gligen:
    """Load a GLIGEN model for boxes with texts."""
    model = Gligen(FileRef(FOLDER, ctx.fingerprint(FOLDER, gligen_name)))
    ctx.use(service.pool).grounding_width(model)
    return model


@node("GLIGENTextBoxApply", version=4, category="conditioning/gligen", resource="gpu", numeric=True)
def apply_gligen_text_box(
    ctx: Context,
    conditioning_to: Conditioning,
    clip: Clip,
    gligen_textbox_model: Gligen,
    text: Prompt,
    width: BoxSide = 64,
    height: BoxSide = 64,
    x: Place = 0,
    y: Place = 0,
) -> Conditioning:
    """Say what is to be in a box, given in pixels, besides what the prompt says of the whole.

    Li et al. (2023), arXiv 2301.07093. Not compared with the reference.
    """
    summary = encode.summary(ctx, text, clip)
    expected = ctx.use(service.pool).grounding_width(gligen_textbox_model)
    if summary.shape[-1] != expected:
        raise ModelError(
            "The GLIGEN model does not fit the text encoder: it is made for another family.",
            got=f"texts of width {summary.shape[-1]}",
            expected=f"width {expected}",
        )
    box = GligenBox(summary, width // CELL, height // CELL, x // CELL, y // CELL)

    def given(options: Mapping[str, Any]) -> dict[str, Any]:
        boxes = options["gligen"][1] if "gligen" in options else ()
        return {**options, "gligen": (gligen_textbox_model, (*boxes, box))}

    entries = (replace(cond, options=given(cond.options)) for cond in conditioning_to.entries)
    return Conditioning(tuple(entries))
