"""Texts on the page can be read: contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3) in both schemes."""

import re
from itertools import product

import pytest

from server.page.documents import STATIC

CSS = (STATIC / "style.css").read_text()


def scheme(text: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", text))


LIGHT = scheme(CSS[: CSS.index("@media")])
DARK = scheme(CSS[CSS.index("prefers-color-scheme: dark") : CSS.index("* {")])


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_stands_out(colours: dict[str, str]):
    on_card = product(("text", "soft", "accent", "good", "bad", "warn"), ("card",))
    others = (("text", "back"), ("soft", "back"), ("soft", "well"), ("text", "well"), ("on-accent", "accent"))
    pairs = [*on_card, *others]
    weak = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
    assert {pair: value for pair, value in weak.items() if value < 4.5} == {}
