"""Prompts for Stable Diffusion 3, and what T5 fills them with. Nothing here is compared with the reference."""

from dataclasses import replace
from typing import Annotated, Literal

from engine.context import Context
from engine.node import Field, Widget, node
from nodes.recipes import Clip, Conditioning, Padding
from nodes.text import Prompt, conditioning

Count = Annotated[int, Field(ge=0, le=10_000), Widget(step=1)]


@node("CLIPTextEncodeSD3", version=2, category="advanced/conditioning", resource="gpu", numeric=True)
def clip_text_encode_sd3(
    ctx: Context,
    clip: Clip,
    *,
    clip_l: Prompt,
    clip_g: Prompt,
    t5xxl: Prompt,
    empty_padding: Literal["none", "empty_prompt"],
) -> Conditioning:
    """Encode a prompt for each of SD3's text encoders.

    With an empty padding of ``none`` T5 is left out where its prompt is empty, and so are both of CLIP's where theirs
    are; otherwise they encode an empty prompt.
    """
    texts: dict[str, str | None] = {"l": clip_l, "g": clip_g, "t5xxl": t5xxl}
    if empty_padding == "none":
        texts |= {} if clip_l or clip_g else {"l": None, "g": None}
        texts |= {} if t5xxl else {"t5xxl": None}
    return conditioning(ctx, "", clip, apart=texts)


@node("T5TokenizerOptions", category="_for_testing/conditioning", experimental=True)
def t5_tokenizer_options(clip: Clip, min_padding: Count = 0, min_length: Count = 0) -> Clip:
    """Say how many empty tokens T5 shall read behind a prompt at least, and how many tokens in all at least."""
    return replace(clip, options=(*clip.options, Padding(min_padding, min_length)))
