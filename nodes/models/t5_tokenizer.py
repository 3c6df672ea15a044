"""T5's tokenizer: text -> ids. A unigram model over pieces of SentencePiece (Kudo 2018, arXiv 1804.10959)."""

import lzma
from functools import cache
from importlib import resources
from typing import Any

PAD, END = 0, 1

VOCABULARY = 32_128
"""Rows of T5's table: 32,000 pieces, 100 marks and padding to a multiple of 128."""


def ids(text: str) -> list[int]:
    """Return the ids of a text, without the end. Each text begins with a blank, whether it is written or not."""
    found: list[int] = _tokenizer().encode(text, add_special_tokens=False).ids
    return found


@cache
def _tokenizer() -> Any:
    from tokenizers import Tokenizer

    packed = resources.files("nodes.models").joinpath("data", "t5_tokenizer.json.xz").read_bytes()
    return Tokenizer.from_str(lzma.decompress(packed).decode())
