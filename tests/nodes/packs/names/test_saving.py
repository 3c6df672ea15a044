"""Files that foreign code writes through ours."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from engine.errors import FileError
from engine.folders import Folders
from engine.schema import Artifact
from nodes.packs.names.saving import save_artifacts, save_pictures, workflow_texts


def test_pictures_have_the_workflow_inside(folders: Folders) -> None:
    images = torch.stack([torch.zeros(2, 3, 3), torch.ones(2, 3, 3)])
    texts = workflow_texts({"1": {}}, {"workflow": {"nodes": []}, "odd": object()})
    saved = save_pictures(images, folders.output, "%width%/x_%batch_num%", texts)
    assert saved == [
        {"filename": "x_0_00001_.png", "subfolder": "3"},
        {"filename": "x_1_00001_.png", "subfolder": "3"},
    ]
    with Image.open(folders.output / "3" / "x_1_00001_.png") as picture:
        assert isinstance(picture, PngImageFile)
        assert picture.text == {"prompt": '{"1": {}}', "workflow": '{"nodes": []}'}
        assert picture.size == (3, 2) and picture.getpixel((0, 0)) == (255, 255, 255)


def test_nothing_is_written_outside(folders: Folders, tmp_path: Path) -> None:
    with pytest.raises(FileError):
        save_pictures(torch.zeros(1, 2, 2, 1), tmp_path / "elsewhere", "x", {})
    with pytest.raises(FileError):
        save_pictures(torch.zeros(1, 2, 2, 1), folders.output, "../x", {})
    assert list(tmp_path.rglob("*.png")) == []


def test_artifacts_go_to_their_folders(folders: Folders) -> None:
    made = [Artifact(b"text", "a", ".txt", "temp", "texts"), Artifact(b"more", "a", ".txt", "temp", "texts")]
    assert save_artifacts(made, {"prompt": {}}) == {
        "texts": [
            {"filename": "a_00001_.txt", "subfolder": "", "type": "temp"},
            {"filename": "a_00002_.txt", "subfolder": "", "type": "temp"},
        ]
    }
    assert (folders.temp / "a_00002_.txt").read_bytes() == b"more"
