import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from engine.errors import FileError
from nodes.training.dataset import open_dataset
from nodes.training.fluent import Emoji, captions, find_emoji, main, write_dataset

PERSON = {"hexcode": "1F9D1", "label": "person", "subgroup": 1}
DATA = [
    {
        **PERSON,
        "skins": [
            {"hexcode": "1F9D1-1F3FF", "label": "person: dark skin tone", "tone": 5},
            {"hexcode": "1F9D1-1F3FD-200D-1F9B0", "label": "person: medium skin tone, red hair", "tone": 3},
            {"hexcode": "1F9D1-1F3FD-1F3FB", "label": "two people", "tone": [3, 1]},
        ],
    },
    {"hexcode": "1F43B-200D-2744-FE0F", "label": "polar bear", "subgroup": 2},
    {"hexcode": "1F697", "label": "automobile", "subgroup": 3},
    {"hexcode": "1F43A", "label": "wolf", "subgroup": 2},
]
PICTURES = ("1f9d1", "1f9d1-1f3ff", "1f9d1-1f3fd-200d-1f9b0", "1f9d1-1f3fd-1f3fb", "1f43b-200d-2744", "1f697", "2049")


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    assets = tmp_path / "packages" / "fluent" / "assets"
    names = tmp_path / "packages" / "emojibase"
    for folder in (assets, names / "en", names / "meta"):
        folder.mkdir(parents=True)
    for name in PICTURES:
        Image.new("RGBA", (32, 32), (250, 200, 0, 255)).save(assets / f"{name}.webp", lossless=True)
    (names / "en" / "data.json").write_text(json.dumps(DATA))
    groups = {"1": "person", "2": "animal-mammal", "3": "transport-ground"}
    (names / "meta" / "groups.json").write_text(json.dumps({"subgroups": groups}))
    return tmp_path / "packages"


def test_pictures_and_names_are_joined(packages: Path) -> None:
    assert [(e.path.stem, e.subject, e.attributes, e.skin, e.subgroup) for e in find_emoji(packages)] == [
        ("1f43b-200d-2744", "polar bear", (), 0, "animal-mammal"),
        ("1f9d1-1f3fd-200d-1f9b0", "person", ("red hair",), 3, "person"),
        ("1f9d1-1f3ff", "person", (), 5, "person"),
        ("1f9d1", "person", (), 0, "person"),
    ]


def test_captions_say_hair_skin_and_age_in_any_order() -> None:
    emoji = Emoji(Path("x.webp"), "older person", ("white hair",), 4, "person")
    said = captions(emoji, 0, 200)
    assert len(set(said)) == len(said)
    assert all("white hair" in text and "skin" in text for text in said)
    assert {skin for skin in ("medium-dark skin", "brown skin") if any(skin in text for text in said)} == {
        "medium-dark skin",
        "brown skin",
    }
    assert all(any(age in text for text in said) for age in ("an old person", "an older person", "an elderly person"))
    hair_first = [text.index("white hair") < text.index("skin") for text in said]
    assert {True, False} == set(hair_first)
    assert "portrait of an old person with brown skin and white hair" in said


def test_captions_depend_on_the_seed_and_the_picture_alone() -> None:
    emoji = Emoji(Path("a/x.webp"), "woman", ("curly hair",), 1, "person")
    same = Emoji(Path("b/x.webp"), "woman", ("curly hair",), 1, "person")
    assert captions(emoji, 3) == captions(same, 3)
    assert captions(emoji, 3) != captions(emoji, 4)


def test_yellow_skin_is_said_at_times() -> None:
    said = captions(Emoji(Path("x.webp"), "man", (), 0, "person"), 0, 50)
    assert {"yellow skin" in text for text in said} == {True, False}
    assert not any("skin" in text for text in captions(Emoji(Path("x.webp"), "fox", (), 0, "animal-mammal"), 0, 50))


def test_bald_reads_well() -> None:
    said = captions(Emoji(Path("x.webp"), "man", ("bald",), 1, "person"), 0)
    assert all("bald head" in text for text in said)


def test_the_dataset_can_be_read(packages: Path, tmp_path: Path) -> None:
    assert write_dataset(packages, tmp_path / "portraits") == 4
    dataset = open_dataset(tmp_path / "portraits", 64)
    assert dataset.weights == (1, 2, 2, 2)
    assert dataset.captions[0] == tuple(captions(find_emoji(packages)[0], 0))
    assert dataset.pixels[:, 3, 0, 0].tolist() == [0] * 4
    assert dataset.pixels[:, :, 32, 32].tolist() == [[250, 200, 0, 255]] * 4


def test_it_is_a_command(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["fluent", str(packages), str(tmp_path / "to")])
    main()
    assert capsys.readouterr().out == f"4 pictures in {tmp_path / 'to'}\n"


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"assets/1f9d1\.webp") as caught:
        find_emoji(tmp_path)
    assert "npm pack" in str(caught.value.hint)
