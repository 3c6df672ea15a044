"""Prompts: text -> weighted fragments -> groups of tokens -> chunks. Pure functions, none of them recursive.

"(x)" multiplies the weight around it by 1.1 and "(x:1.3)" replaces it by 1.3. "\\(" and "\\)" are literal.
Square brackets mean nothing. "embedding:name" stands for the vectors of a textual inversion.
"""

import bisect
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from engine.errors import InputError

LIMIT = 32_768
"""The longest prompt in characters, about a hundred chunks."""

WHOLE_GROUP = 8
"""A group of fewer tokens than this is never cut at the border of a chunk."""

EMBEDDING = re.compile(r"(?:^|[ \n])embedding:(\S+)")


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of a prompt under one weight."""

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Token:
    """One place in a chunk: a token id, or row ``row`` of the vectors of ``embedding``."""

    id: int
    weight: float = 1.0
    embedding: str | None = None
    row: int = 0


Chunk = tuple[Token, ...]
Groups = Iterable[Sequence[Token]]


def parse(prompt: str) -> list[Fragment]:
    """Split a prompt into weighted fragments, in order. Raises InputError above ``LIMIT`` characters.

    Work is linear: a parenthesis is looked at once, on the level where it matters.
    """
    if len(prompt) > LIMIT:
        raise InputError(
            "the prompt is too long",
            got=f"{len(prompt):,} characters",
            expected=f"at most {LIMIT:,} characters",
            hint="shorten it",
        )
    levels = _Levels(prompt)
    fragments: list[Fragment] = []
    waiting = [(0, len(prompt), 1.0, False)]
    while waiting:
        start, end, weight, is_literal = waiting.pop()
        if is_literal:
            fragments.append(Fragment(_unescaped(prompt[start:end]), weight))
            continue
        parts = [_part(prompt, *span, weight) for span in levels.spans(start, end)]
        waiting += reversed(parts)
    return fragments


def _part(prompt: str, start: int, end: int, weight: float) -> tuple[int, int, float, bool]:
    """Return the inside of a pair of parentheses with its weight, or the text itself as literal."""
    if end - start < 2 or prompt[start] != "(" or prompt[end - 1] != ")" or prompt[end - 2] == "\\":
        return start, end, weight, True
    start, end = start + 1, end - 1
    colon = prompt.rfind(":", start, end)
    number = _number(prompt[colon + 1 : end]) if colon > start else None
    if number is None:
        return start, end, weight * 1.1, False
    return start, colon, number, False


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _unescaped(text: str) -> str:
    return text.replace("\\(", "(").replace("\\)", ")")


class _Levels:
    """The parentheses of a text, by how many are open before them."""

    def __init__(self, text: str) -> None:
        self.places = [match.start() for match in re.finditer(r"(?<!\\)[()]", text)]
        self.steps = [1 if text[place] == "(" else -1 for place in self.places]
        self.depths = list(accumulate(self.steps, initial=0))
        self.opening: dict[int, list[int]] = defaultdict(list)
        self.closing: dict[int, list[int]] = defaultdict(list)
        for place, step, depth in zip(self.places, self.steps, self.depths, strict=False):
            if step > 0:
                self.opening[depth].append(place)
            else:
                self.closing[depth - 1].append(place)

    def spans(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Cut [start, end) before each parenthesis that opens at its level and after each that closes back to it."""
        depth = self.depths[bisect.bisect_left(self.places, start)]
        cuts = {*_between(self.opening[depth], start, end)}
        cuts |= {place + 1 for place in _between(self.closing[depth], start, end)}
        borders = sorted({start, end, *cuts})
        return pairwise(borders)


def _between(places: list[int], start: int, end: int) -> list[int]:
    return places[bisect.bisect_left(places, start) : bisect.bisect_left(places, end)]


def embedding_names(prompt: str) -> list[str]:
    """Return the names of the embeddings that a prompt asks for, as written, in order."""
    return [name for fragment in parse(prompt) for name in EMBEDDING.findall(fragment.text)]


def groups(
    fragments: Iterable[Fragment], ids: Callable[[str], list[int]], rows: Callable[[str], tuple[str, int]]
) -> Iterator[list[Token]]:
    """Turn fragments into groups of tokens.

    ``ids`` tokenises a text. ``rows`` takes the written name of an embedding and returns its real name, which may lack
    trailing commas, and how many vectors it has.
    """
    for fragment in fragments:
        pieces = EMBEDDING.split(fragment.text)
        if pieces[0]:
            yield [Token(id, fragment.weight) for id in ids(pieces[0])]
        for written, text in zip(pieces[1::2], pieces[2::2], strict=True):
            name, count = rows(written)
            yield [Token(0, fragment.weight, name, row) for row in range(count)]
            if rest := f"{written[len(name) :]}{text}".strip():
                yield [Token(id, fragment.weight) for id in ids(rest)]


def chunks(groups: Groups, begin: int, end: int, pad: int, length: int = 77) -> list[Chunk]:
    """Lay groups of tokens into chunks of ``length``: begin, tokens, end, padding. There is at least one.

    A group below ``WHOLE_GROUP`` tokens that does not fit starts the next chunk; a longer one is cut at the border.
    """
    room = length - 2
    bodies: list[list[Token]] = [[]]
    for group in groups:
        place = 0
        while len(group) - place > (free := room - len(bodies[-1])):
            if len(group) >= WHOLE_GROUP:
                bodies[-1].extend(group[place : place + free])
                place += free
            bodies.append([])
        bodies[-1].extend(group[place:])
    return [_closed(body, Token(begin), Token(end), Token(pad), length) for body in bodies]


def _closed(body: list[Token], begin: Token, end: Token, pad: Token, length: int) -> Chunk:
    return (begin, *body, end, *[pad] * (length - 2 - len(body)))
