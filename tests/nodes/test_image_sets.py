"""Folders of pictures through the engine: what comes out, what is remembered, what is refused."""

from pathlib import Path

import pytest
import torch
from PIL import Image

import nodes
from engine import Engine, Folders, Settings
from engine.errors import FileError, LoomisError, ValidationError
from engine.events import NodeFinished, Warned
from nodes.image_sets import load_image_set
from tests.nodes.calls import context
from tests.nodes.models import tiny

CLIP = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "tiny.safetensors"}}
GRAPH = {
    "1": CLIP,
    "2": {"class_type": "LoadImageTextSetFromFolderNode", "inputs": {"folder": "set", "clip": ["1", 1]}},
    "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
    "4": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat", "clip": ["1", 1]}},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "input" / "set"
    folder.mkdir(parents=True)
    for name, colour in (("a", "red"), ("b", "blue"), ("c", "red")):
        Image.new("RGB", (8, 8), colour).save(folder / f"{name}.png")
    (folder / "a.txt").write_text("a dog")
    (folder / "b.txt").write_text("a cat")
    return folder


@pytest.fixture
def engine(tmp_path: Path, folder: Path, tiny_tensors):
    tiny.write(tmp_path / "models" / "checkpoints" / "tiny.safetensors", tiny_tensors)
    folders = Folders((tmp_path / "models",), tmp_path / "input", tmp_path / "output", tmp_path / "temp")
    with Engine(nodes.vocabulary(), folders=folders, settings=Settings(device="cpu")) as made:
        yield made


def test_a_picture_has_the_caption_beside_it(engine: Engine) -> None:
    told: list[str] = []
    found = engine.run(
        GRAPH, values=["2", "4"], on_event=lambda event: told.append(event.message) if type(event) is Warned else None
    ).values
    (images,), (conditioning,) = found["2"]
    ((cat,),) = found["4"]
    assert images.shape == (3, 8, 8, 3) and images[1, 0, 0].tolist() == [0, 0, 1]
    assert [torch.equal(each.context, cat.entries[0].context) for each in conditioning.entries] == [False, True, False]
    assert any("Pictures in set without a caption beside them: 1 (c.png ...)." in text for text in told)


def test_a_changed_caption_is_encoded_again(engine: Engine, folder: Path) -> None:
    def ran() -> set[str]:
        seen: set[str] = set()
        engine.run(GRAPH, on_event=lambda event: seen.add(event.node) if type(event) is NodeFinished else None)
        return seen

    assert "2" in ran() and "2" not in ran()
    (folder / "c.txt").write_text("a bird")
    assert "2" in ran() and "2" not in ran()


def test_only_pictures_count_where_only_pictures_are_asked_for(tmp_path: Path, folder: Path) -> None:
    assert load_image_set(context(Folders(input=tmp_path / "input")), "set").shape == (3, 8, 8, 3)


def test_what_is_no_set(engine: Engine, folder: Path) -> None:
    (folder.parent / "empty").mkdir()
    with pytest.raises(FileError, match="no pictures") as caught:
        engine.run(GRAPH, {"2.folder": "empty"})
    assert (caught.value.node, caught.value.input) == ("2", "folder")
    for name in ("../input", "gone"):
        with pytest.raises(ValidationError) as refused:
            engine.run(GRAPH, {"2.folder": name})
        assert [fault.input for fault in refused.value.faults] == ["folder"]
    (folder / "d.png").write_bytes(b"no picture")
    with pytest.raises(LoomisError, match=r"d\.png"):
        engine.run(GRAPH)
