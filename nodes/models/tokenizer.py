"""CLIP's tokenizer: text -> ids.

The behaviour is that of the slow ``CLIPTokenizer`` of transformers 4 without ftfy: clean, put blanks around Chinese
characters, NFC, lower case, split into words, then byte pair encoding (Sennrich et al. 2016). The merges are in the
order of their rank, so a model with a smaller vocabulary uses the first of them and every id it keeps is CLIP's.
"""

import gzip
import heapq
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

MERGES = 48_894
"""How many merges CLIP has; with 512 byte symbols and two marks that is a vocabulary of 49,408."""

MARKS = ("<|startoftext|>", "<|endoftext|>")
CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
CHINESE = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """A tokenizer of ``size`` ids, 514 to 49,408. The last two are begin and end of text."""

    size: int = 512 + MERGES + 2

    @property
    def begin(self) -> int:
        return self.size - 2

    @property
    def end(self) -> int:
        return self.size - 1

    def ids(self, text: str) -> list[int]:
        """Return the ids of a text, without begin and end."""
        ids: list[int] = []
        for piece, mark in _split_marks(text):
            for word in words(clean(piece)):
                ids += self._word(word)
            if mark:
                ids.append(self.size - 2 + MARKS.index(mark))
        return ids

    def _word(self, word: str) -> list[int]:
        if word in MARKS:
            return [self.size - 2 + MARKS.index(word)]
        symbols = [byte_ids()[byte] for byte in word.encode()]
        symbols[-1] += 256
        return merged(symbols, self.size - 2)


def _split_marks(text: str) -> Iterator[tuple[str, str]]:
    """Cut a text at the literal marks: pieces, each with the mark that follows it or an empty string."""
    start = 0
    while True:
        found = [(place, mark) for mark in MARKS if (place := text.find(mark, start)) >= 0]
        if not found:
            yield text[start:], ""
            return
        place, mark = min(found)
        yield text[start:place], mark
        start = place + len(mark)


def clean(text: str) -> str:
    """Drop control characters, part Chinese characters by blanks, normalise to NFC, lower the case."""
    kept: list[str] = []
    for char in text:
        if char in " \t\n\r":
            kept.append(" ")
        elif char == "\ufffd" or (category := unicodedata.category(char))[0] == "C":
            continue
        elif category == "Zs":
            kept.append(" ")
        elif any(low <= ord(char) <= high for low, high in CHINESE):
            kept.append(f" {char} ")
        else:
            kept.append(char)
    return " ".join(word.lower() for word in unicodedata.normalize("NFC", "".join(kept)).split())


def words(text: str) -> Iterator[str]:
    """Split a clean text: marks, contractions, runs of letters, single numerals, runs of anything else but blanks."""
    kinds = [_kind(char) for char in text]
    place = 0
    while place < len(text):
        length = _fixed(text, place) or _run(kinds, place)
        if kinds[place] != " ":
            yield text[place : place + length]
        place += length


def _kind(char: str) -> str:
    category = unicodedata.category(char)[0]
    if category in "LN":
        return category
    return " " if char.isspace() else "P"


def _fixed(text: str, place: int) -> int:
    """Return the length of the mark or contraction at a place, else 0."""
    if text[place] == "<":
        return next((len(mark) for mark in MARKS if text.startswith(mark, place)), 0)
    if text[place] != "'":
        return 0
    folded = text[place : place + 3].replace("ſ", "s")
    return next((len(end) for end in CONTRACTIONS if folded.startswith(end)), 0)


def _run(kinds: list[str], place: int) -> int:
    kind = kinds[place]
    if kind == "N":
        return 1
    end = place + 1
    while end < len(kinds) and kinds[end] == kind:
        end += 1
    return end - place


@cache
def byte_ids() -> tuple[int, ...]:
    """Return the id of each byte. Printable Latin-1 comes first, then the rest (GPT-2's order)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    order = printable + [byte for byte in range(256) if byte not in set(printable)]
    return tuple(order.index(byte) for byte in range(256))


def _byte_symbols() -> list[str]:
    """Return the character that the merges file writes for each of the first 256 ids."""
    spare = iter(range(256, 512))
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    symbols = {byte: chr(byte if byte in printable else next(spare)) for byte in range(256)}
    ids = byte_ids()
    return [symbols[byte] for byte in sorted(range(256), key=ids.__getitem__)]


@cache
def merges() -> Mapping[tuple[int, int], int]:
    """Return CLIP's merges: a pair of ids -> the id of both together. A lower id is an earlier merge."""
    packed = resources.files("nodes.models").joinpath("data", "clip_merges.txt.gz").read_bytes()
    symbols = _byte_symbols()
    ids = {symbol: i for i, symbol in enumerate([*symbols, *(symbol + "</w>" for symbol in symbols)])}
    table: dict[tuple[int, int], int] = {}
    for line in gzip.decompress(packed).decode().splitlines():
        left, right = line.split(" ")
        ids[left + right] = table[ids[left], ids[right]] = len(ids)
    return table


def merged(symbols: list[int], limit: int) -> list[int]:
    """Apply the merges below id ``limit`` to the symbols of a word, the earliest first, from left to right.

    A heap over a linked list keeps it at O(n log n) for words of any length.
    """
    table = merges()
    count = len(symbols)
    following = [*range(1, count), -1]
    before = list(range(-1, count - 1))
    heap = [(new, i) for i in range(count - 1) if (new := table.get((symbols[i], symbols[i + 1]), limit)) < limit]
    heapq.heapify(heap)
    while heap:
        rank = heap[0][0]
        changed: list[int] = []
        while heap and heap[0][0] == rank:
            _, left = heapq.heappop(heap)
            right = following[left]
            if symbols[left] < 0 or right < 0 or table.get((symbols[left], symbols[right])) != rank:
                continue
            symbols[left], symbols[right] = rank, -1
            following[left] = following[right]
            if following[left] >= 0:
                before[following[left]] = left
            changed.append(left)
        for left in changed:
            for first in (before[left], left):
                second = following[first] if first >= 0 else -1
                if second >= 0 and (new := table.get((symbols[first], symbols[second]), limit)) < limit:
                    heapq.heappush(heap, (new, first))
    return [symbol for symbol in symbols if symbol >= 0]
