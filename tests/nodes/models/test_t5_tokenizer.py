"""Ids against an implementation of our own: the best cut by dynamic programming over the pieces and their scores."""

import json
import lzma
import unicodedata
from functools import cache
from importlib import resources
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.models import t5_tokenizer

WORDS = [
    "a", "the", "photo", "of", "cat", "astronaut", "riding", "horse,", "cinematic", "lighting;", "8k", "(masterpiece)",
    "naïve", "Straße", "1girl", "don't",
]  # fmt: skip
BLANK = "▁"


@cache
def pieces() -> tuple[dict[str, tuple[int, float]], float]:
    """The pieces with their ids and scores, and the score of what is not known."""
    packed = resources.files("nodes.models").joinpath("data", "t5_tokenizer.json.xz").read_bytes()
    vocabulary = json.loads(lzma.decompress(packed))["model"]["vocab"]
    known = {piece: (place, score) for place, (piece, score) in enumerate(vocabulary[:32_000])}
    return known, min(score for _, score in known.values()) - 10


def best(text: str) -> list[int]:
    """Return the ids of the cut with the highest score; what is not known is one id, however long it is."""
    known, unknown = pieces()
    normal = " ".join(unicodedata.normalize("NFKC", text).split())
    whole = BLANK + normal.replace(" ", BLANK)
    scores, cuts = [0.0, *[-1e30] * len(whole)], [0] * (len(whole) + 1)
    for end in range(1, len(whole) + 1):
        for start in range(max(0, end - 20), end):
            score = known[whole[start:end]][1] if whole[start:end] in known else unknown if end - start == 1 else -1e30
            if scores[start] + score > scores[end]:
                scores[end], cuts[end] = scores[start] + score, start
    found: list[int] = []
    place = len(whole)
    while place:
        piece, place = whole[cuts[place] : place], cuts[place]
        number = known.get(piece, (2, 0))[0]
        if not (number == 2 and found and found[-1] == 2):
            found.append(number)
    return found[::-1]


def test_texts_whose_ids_are_known() -> None:
    assert t5_tokenizer.ids("a photo of a cat") == [3, 9, 1202, 13, 3, 9, 1712]
    assert t5_tokenizer.ids("Studies have been shown that owning a dog is good for you") == [
        6536, 43, 118, 2008, 24, 293, 53, 3, 9, 1782, 19, 207, 21, 25,
    ]  # fmt: skip
    assert t5_tokenizer.ids("") == []


def test_prompts_are_cut_where_their_score_is_best() -> None:
    random = Random(1)
    for _ in range(300):
        text = " ".join(random.choices(WORDS, k=random.randint(1, 12)))
        assert t5_tokenizer.ids(text) == best(text), text


@given(st.text(st.characters(codec="ascii", exclude_categories=["C"], exclude_characters="<"), min_size=1, max_size=40))
def test_any_ascii_text_is_cut_where_its_score_is_best(text: str) -> None:
    assert t5_tokenizer.ids(text) == (best(text) if text.strip() else t5_tokenizer.ids(text))


@pytest.mark.parametrize(("text", "same"), [("a\ncat", "a cat"), ("ﬁne", "fine"), ("a  cat", "a cat")])
def test_texts_are_normalised(text: str, same: str) -> None:
    assert t5_tokenizer.ids(text) == t5_tokenizer.ids(same)


def test_marks_in_a_text_are_marks() -> None:
    assert t5_tokenizer.ids("cat</s>")[-1] == t5_tokenizer.END
    assert t5_tokenizer.ids("<extra_id_0>") == [32_099]
