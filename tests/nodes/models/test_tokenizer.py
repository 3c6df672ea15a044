import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.models.tokenizer import MERGES, Tokenizer, clean, merged, merges, words

CLIP = Tokenizer()


def slow_merge(symbols: list[int], limit: int) -> list[int]:
    """Byte pair encoding as the paper has it: again and again, the earliest merge everywhere from left to right."""
    table = merges()
    while True:
        known = [new for pair in pairwise(symbols) if (new := table.get(pair, limit)) < limit]
        if not known:
            return symbols
        best, done, place = min(known), [], 0
        while place < len(symbols):
            if table.get(tuple(symbols[place : place + 2])) == best:  # type: ignore[call-overload]
                done.append(best)
                place += 2
            else:
                done.append(symbols[place])
                place += 1
        symbols = done


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", []),
        ("a photo of a red fox", [320, 1125, 539, 320, 736, 3240]),
        ("A  Photo\nof\ta RED fox ", [320, 1125, 539, 320, 736, 3240]),
        ("a cat", [320, 2368]),
        ("<|endoftext|>", [49407]),
        ("a<|startoftext|>b", [320, 49406, 321]),
        ("<|ENDOFTEXT|>", [49407]),
    ],
)
def test_well_known_ids(text: str, ids: list[int]) -> None:
    assert CLIP.ids(text) == ids


def test_there_are_as_many_merges_as_clip_has() -> None:
    assert len(merges()) == MERGES
    assert sorted(merges().values()) == list(range(512, 512 + MERGES))
    assert (CLIP.begin, CLIP.end) == (49406, 49407)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't PANIC", ["don", "'t", "panic"]),
        ("it's we'll I'D", ["it", "'s", "we", "'ll", "i", "'d"]),
        ("1girl, 42", ["1", "girl", ",", "4", "2"]),
        ("a!!'s", ["a", "!!'", "s"]),
        ("猫の絵", ["猫", "の", "絵"]),
        ("É", ["é"]),
        ("e\u0301", ["é"]),
        ("a\u200bb\u00adc\ufeff", ["abc"]),
        ("a\u00a0b\u3000c\u2028d", ["a", "b", "c", "d"]),
        ("½²", ["½", "²"]),
        ("'\u017f", ["'\u017f"]),
        ("\ufffd\x00\x07", []),
        ("\ud800", []),
    ],
)
def test_texts_split_into_words(text: str, expected: list[str]) -> None:
    assert list(words(clean(text))) == expected


@given(st.text(max_size=60))
def test_cleaning_leaves_no_control_characters_and_single_blanks(text: str) -> None:
    cleaned = clean(text)
    assert cleaned == " ".join(cleaned.split())
    assert not [char for char in cleaned if unicodedata.category(char)[0] == "C"]


@given(st.text(max_size=60))
def test_words_hold_every_character_but_blanks(text: str) -> None:
    cleaned = clean(text)
    assert "".join(words(cleaned)) == cleaned.replace(" ", "")


@given(st.text(max_size=60), st.integers(514, CLIP.size))
def test_ids_lie_in_the_vocabulary(text: str, size: int) -> None:
    assert all(0 <= id < size for id in Tokenizer(size).ids(text))


@given(st.lists(st.integers(0, 255), min_size=1, max_size=40), st.sampled_from([600, 8190, 49406]))
def test_merging_is_that_of_the_paper(symbols: list[int], limit: int) -> None:
    symbols = [*symbols[:-1], symbols[-1] + 256]
    assert merged(list(symbols), limit) == slow_merge(symbols, limit)


@given(st.text(alphabet="ahsing lote'", max_size=40), st.sampled_from([600, 8190, 49406]))
def test_merging_of_likely_letters_is_that_of_the_paper(text: str, limit: int) -> None:
    for word in text.split():
        symbols = [ord(char) - 0x21 for char in word]
        symbols[-1] += 256
        assert merged(list(symbols), limit) == slow_merge(symbols, limit)


def test_a_smaller_vocabulary_keeps_the_ids_of_what_it_knows() -> None:
    small = Tokenizer(8192)
    assert small.ids("a photo of a red fox") == [320, 1125, 539, 320, 736, 3240]
    assert small.ids("an astronaut") != CLIP.ids("an astronaut")
    assert small.ids("<|startoftext|><|endoftext|>") == [8190, 8191]


@pytest.mark.parametrize("text", ["a" * 100_000, "ab" * 50_000, "((" * 50_000, "猫" * 100_000, "<|endoftext|>" * 8_000])
def test_a_text_of_100_000_characters_does_not_hang(text: str) -> None:
    assert len(CLIP.ids(text)) > 5_000
