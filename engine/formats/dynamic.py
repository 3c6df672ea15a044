"""Dynamic prompts: ``{a|b|{c|d}}`` is one of its options; ``//`` and ``/* */`` are comments."""

import random
import re

COMMENT_START = re.compile(r"/\*|//")
TOKEN = re.compile(r"\\[{}|]|[{}|]|\\|[^\\{}|]+")


def resolve_choices(text: str, rng: random.Random) -> str:
    """Return a prompt without comments and with every choice made; ``\\{``, ``\\}`` and ``\\|`` stand for themselves.

    An unclosed choice reaches to the end. Choices are made from the inside out, each option equally likely.
    """
    blocks: list[list[list[str]]] = [[[]]]
    for token in TOKEN.findall(without_comments(text)):
        inside = len(blocks) > 1
        if token == "{":
            blocks.append([[]])
        elif token == "|" and inside:
            blocks[-1].append([])
        elif token == "}" and inside:
            _close(blocks, rng)
        else:
            blocks[-1][-1].append(token[1:] if len(token) == 2 and token[0] == "\\" else token)
    while len(blocks) > 1:
        _close(blocks, rng)
    return "".join(blocks[0][0])


def without_comments(text: str) -> str:
    """Return a prompt without its comments; a ``/*`` that is never closed is text."""
    parts: list[str] = []
    kept = 0
    for match in COMMENT_START.finditer(text):
        if match.start() < kept:
            continue
        if match[0] == "//":
            end = text.find("\n", match.end())
            end = len(text) if end < 0 else end
        else:
            end = text.find("*/", match.end()) + 2
            if end < 2:
                return "".join([*parts, _without_lines(text[kept:])])
        parts.append(text[kept : match.start()])
        kept = end
    return "".join([*parts, text[kept:]])


def _without_lines(text: str) -> str:
    return "\n".join(line.partition("//")[0] for line in text.split("\n"))


def has_choices(text: str) -> bool:
    """Whether resolving would pick anything at random."""
    return "{" in without_comments(text).replace("\\{", "")


def _close(blocks: list[list[list[str]]], rng: random.Random) -> None:
    options = blocks.pop()
    blocks[-1][-1].append("".join(rng.choice(options)))
