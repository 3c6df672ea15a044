"""Encode prompts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from engine.context import Context
from engine.node import Field, Mentions, Widget, node
from nodes.lazy import lazy
from nodes.recipes import Clip, Cond, Conditioning
from nodes.weight_hooks import hooked_clips

if TYPE_CHECKING:
    from nodes.models import encode
else:
    encode = lazy("nodes.models.encode")

EMBEDDING = r"(?:^|(?<=[\s()]))embedding:([^\s():]+)"
"""How a prompt names a textual inversion; its weight may follow."""

Prompt = Annotated[str, Mentions("embeddings", EMBEDDING), Widget(multiline=True, dynamicPrompts=True)]


@node(
    "CLIPTextEncode",
    version=5,
    category="conditioning",
    display_name="CLIP Text Encode (Prompt)",
    resource="gpu",
    numeric=True,
)
def clip_text_encode(ctx: Context, text: Prompt, clip: Clip) -> Conditioning:
    """Encode a prompt. ``(words:1.2)`` weighs words, ``embedding:name`` puts in a textual inversion."""
    return conditioning(ctx, text, clip)


def conditioning(
    ctx: Context,
    text: str,
    clip: Clip,
    options: Mapping[str, Any] | None = None,
    apart: Mapping[str, str | None] | None = None,
) -> Conditioning:
    """Return an encoded prompt with options, once for each part of the sampling that hooks on the encoders differ in.

    ``apart`` has another prompt for some of the encoders, by their names; None leaves one out.
    """
    conds = []
    for each, hooked in hooked_clips(clip):
        encoded = encode.encode(ctx, text, each, apart)
        conds.append(Cond(encoded.context, encoded.pooled, {**(options or {}), **hooked}))
    return Conditioning(tuple(conds))


@node(
    "CLIPTextEncodeControlnet",
    version=2,
    category="_for_testing/conditioning",
    resource="gpu",
    numeric=True,
    experimental=True,
)
def clip_text_encode_controlnet(ctx: Context, clip: Clip, conditioning: Conditioning, text: Prompt) -> Conditioning:
    """Let the ControlNets of a prompt attend to another text than the model does. Not compared with the reference.

    The vector that SDXL's networks get beside the text stays that of the prompt.
    """
    told = {"cross_attn_controlnet": encode.encode(ctx, text, clip).context}
    return Conditioning(tuple(replace(cond, options={**cond.options, **told}) for cond in conditioning.entries))


@node("CLIPSetLastLayer", category="conditioning", display_name="CLIP Set Last Layer")
def clip_set_last_layer(
    clip: Clip, stop_at_clip_layer: Annotated[int, Field(ge=-24, le=-1), Widget(step=1)] = -1
) -> Clip:
    """Take an earlier hidden state of the text encoder (clip skip). One before its first layer means the last one."""
    return replace(clip, layer=stop_at_clip_layer)
