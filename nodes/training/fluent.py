"""The portraits of Fluent Emoji (Microsoft, MIT) as a dataset.

The pictures are those of the npm package ``@lobehub/fluent-emoji-3d`` (MIT), their names those of ``emojibase-data``
(MIT). Nothing is downloaded here. Fetch and unpack both, then turn them into a dataset:

    mkdir packages && cd packages
    npm pack @lobehub/fluent-emoji-3d@1.1.0 emojibase-data@17.0.0
    for file in *.tgz; do mkdir "${file%.tgz}" && tar xzf "$file" -C "${file%.tgz}"; done
    cd .. && python -m nodes.training.fluent packages portraits
"""

import argparse
import json
import random
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from engine.errors import FileError
from nodes.training.dataset import CAPTIONS

PEOPLE = ("person", "person-role", "person-fantasy", "person-gesture")
CREATURES = ("animal-mammal", "animal-bird", "animal-amphibian", "animal-reptile", "animal-marine", "monkey-face",
             "cat-face", "face-costume")  # fmt: skip
SUBGROUPS = (*PEOPLE, *CREATURES)
"""The subgroups of Unicode's emoji that make portraits."""

WEIGHTS: Mapping[str, int] = {"person": 2}
"""How often pictures of a subgroup are drawn, for those that count more than once."""

SKINS: Mapping[int, tuple[str, ...]] = {
    1: ("light skin",),
    2: ("medium-light skin", "tan skin"),
    3: ("medium skin",),
    4: ("medium-dark skin", "brown skin"),
    5: ("dark skin",),
}
"""Words for each of the skin tones of Unicode, the usual one first."""

AGES: Mapping[str, tuple[str, ...]] = {
    "baby": ("baby", "young baby"),
    "boy": ("boy", "young boy"),
    "girl": ("girl", "young girl"),
    "child": ("child", "young child"),
    "older person": ("old person", "older person", "elderly person"),
    "old man": ("old man", "older man", "elderly man"),
    "old woman": ("old woman", "older woman", "elderly woman"),
}
"""Words for a subject that has an age, the usual one first."""

NAMES: Mapping[str, str] = {"bald": "bald head"}
"""Attributes that read better in other words."""

PORTRAIT_STYLES = ("portrait of {}", "a portrait of {}", "3d portrait of {}", "{}", "painting of {}")
PICTURE_STYLES = ("{}", "3d picture of {}", "a picture of {}", "portrait of {}")
CAPTION_COUNT = 12
MARGIN = 18
"""Transparent pixels that are put around each picture (of 256)."""


@dataclass(frozen=True, slots=True)
class Emoji:
    """A picture and what is known of it. ``skin`` is 1 (light) to 5 (dark), 0 for the yellow of most emoji."""

    path: Path
    subject: str
    attributes: tuple[str, ...]
    skin: int
    subgroup: str


def captions(emoji: Emoji, seed: int, count: int = CAPTION_COUNT) -> list[str]:
    """Return different captions of a picture, at most ``count``: other words, attributes in another order."""
    rng = random.Random(f"{seed} {emoji.path.name}")
    drawn = [_caption(emoji, rng) for _ in range(count)]
    return list(dict.fromkeys(drawn))


def _caption(emoji: Emoji, rng: random.Random) -> str:
    is_person = emoji.subgroup in PEOPLE
    subject = rng.choice(AGES.get(emoji.subject, (emoji.subject,)))
    attributes = [NAMES.get(name, name) for name in emoji.attributes]
    if emoji.skin:
        usual, *others = SKINS[emoji.skin]
        attributes.append(rng.choice(others) if others and rng.random() < 0.3 else usual)
    elif is_person and rng.random() < 0.5:
        attributes.append("yellow skin")
    rng.shuffle(attributes)
    styles = PORTRAIT_STYLES if is_person else PICTURE_STYLES
    text = rng.choice(styles).format(f"{'an' if subject[0].lower() in 'aeiou' else 'a'} {subject}")
    if not attributes:
        return text
    if rng.random() < 0.7 and " with " not in subject:
        return f"{text} with {' and '.join(attributes)}"
    return ", ".join([text, *attributes])


def find_emoji(packages: Path, subgroups: Collection[str] = SUBGROUPS) -> list[Emoji]:
    """Return the emoji of some subgroups, by file name. Raises FileError where a package is not in the folder."""
    pictures = {_code(path.stem): path for path in _found(packages, "assets/1f9d1.webp").parent.glob("*.webp")}
    names = _found(packages, "en/data.json")
    groups = json.loads(_found(packages, "meta/groups.json").read_text("utf-8"))["subgroups"]
    found = []
    for entry in _entries(json.loads(names.read_text("utf-8"))):
        path, subgroup = pictures.get(_code(entry["hexcode"])), groups.get(str(entry.get("subgroup")))
        if path and subgroup in subgroups and isinstance(entry.get("tone", 0), int):
            found.append(_emoji(entry, path, subgroup))
    return sorted(found, key=lambda emoji: emoji.path.name)


def _found(packages: Path, name: str) -> Path:
    paths = sorted(packages.rglob(name))
    if not paths:
        raise FileError(
            f"There is no {name} in {packages}.",
            got=str(packages),
            expected="a folder with @lobehub/fluent-emoji-3d and emojibase-data unpacked in it",
            hint="npm pack @lobehub/fluent-emoji-3d@1.1.0 emojibase-data@17.0.0, then unpack both.",
        )
    return paths[0]


def _code(name: str) -> str:
    """Return code points without the selector of the picture form, which only one of the packages writes."""
    return "-".join(part for part in name.lower().split("-") if part != "fe0f")


def _entries(data: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield emoji and their skin tones, which belong to the subgroup of what they vary."""
    for entry in data:
        yield entry
        yield from ({**skin, "subgroup": entry.get("subgroup")} for skin in entry.get("skins", ()))


def _emoji(entry: Mapping[str, Any], path: Path, subgroup: str) -> Emoji:
    subject, _, rest = entry["label"].replace("\u2019", "'").partition(":")
    attributes = [part.strip() for part in rest.split(",")]
    kept = tuple(part for part in attributes if part and "skin tone" not in part)
    return Emoji(path, subject.strip(), kept, entry.get("tone", 0), subgroup)


def write_dataset(packages: Path, to: Path, seed: int = 0) -> int:
    """Write the dataset and return how many pictures it has. Raises FileError where a package is missing."""
    emoji = find_emoji(packages)
    to.mkdir(parents=True, exist_ok=True)
    lines = []
    for one in emoji:
        name = f"{one.path.stem}.png"
        _padded(one.path).save(to / name)
        lines.append({"file": name, "captions": captions(one, seed), "weight": WEIGHTS.get(one.subgroup, 1)})
    (to / CAPTIONS).write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
    return len(lines)


def _padded(path: Path) -> Image.Image:
    with Image.open(path) as opened:
        picture = opened.convert("RGBA")
    canvas = Image.new("RGBA", (picture.width + 2 * MARGIN, picture.height + 2 * MARGIN))
    canvas.paste(picture, (MARGIN, MARGIN))
    return canvas


def main() -> None:
    """Turn a folder with the unpacked packages into a dataset."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("packages", type=Path, help="where both packages are unpacked")
    parser.add_argument("to", type=Path, help="the folder of the dataset")
    parser.add_argument("--seed", type=int, default=0, help="of the captions")
    given = parser.parse_args()
    count = write_dataset(given.packages, given.to, given.seed)
    sys.stdout.write(f"{count} pictures in {given.to}\n")


if __name__ == "__main__":
    main()
