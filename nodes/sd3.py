"""What T5 fills prompts with. Not compared with the reference."""

from dataclasses import replace
from typing import Annotated

from engine.node import Field, Widget, node
from nodes.recipes import Clip, Padding

Count = Annotated[int, Field(ge=0, le=10_000), Widget(step=1)]


@node("T5TokenizerOptions", category="_for_testing/conditioning", experimental=True)
def t5_tokenizer_options(clip: Clip, min_padding: Count = 0, min_length: Count = 0) -> Clip:
    """Say how many empty tokens T5 shall read behind a prompt at least, and how many tokens in all at least."""
    return replace(clip, options=(*clip.options, Padding(min_padding, min_length)))
