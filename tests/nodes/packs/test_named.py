"""Choices that name files: what they give follows the content of these."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from engine.schema import Files, FilesBelow
from tests.nodes.packs.classic import bench, opened


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path, {"loras/a.safetensors": "1", "vae/a.safetensors": "2", "classic_words/sub/w.txt": "3"})


@pytest.mark.parametrize(("file", "said"), [
    ("loras/a.safetensors", "n 2 3"), ("vae/a.safetensors", "1 n 3"), ("classic_words/sub/w.txt", "1 2 n"),
])  # fmt: skip
def test_a_file_that_another_took_the_place_of_is_read_again(root: Path, file: str, said: str) -> None:
    inputs = {"lora": "a.safetensors", "words": "sub/w.txt", "vae": "a.safetensors"}
    with bench(root) as classic:
        assert classic.one("Pick", **inputs) == ["1 2 3"]
        assert (classic.one("Pick", **inputs), classic.ran) == (["1 2 3"], [])
        write(root, {file: "n"})
        assert (classic.one("Pick", **inputs), classic.ran) == ([said], ["1"])


def test_choices_are_a_kind_or_the_folders_that_hold_them(root: Path) -> None:
    pick = opened(root, "classic").registry["Pick"].ports
    roots = [str(root / "models" / kind) for kind in ("loras", "vae", "classic_words")]
    assert pick["lora"].mentions == FilesBelow((roots[0], roots[1]))
    assert (pick["words"].choices, pick["words"].mentions) == (("None", "sub/w.txt"), FilesBelow((roots[2],)))
    assert pick["vae"].choices == ("a.safetensors",)
    write(root, {"vae/b.safetensors": ""})
    assert opened(root, "classic").registry["Pick"].ports["vae"].choices == Files("vae")
