import pytest

from engine.errors import InputError
from engine.folders import Folders
from nodes.packs.names.comfy import clip_vision
from nodes.packs.objects import to_foreign
from nodes.recipes import ClipVision, FileRef


def test_an_image_encoder_is_known_by_its_type() -> None:
    found = to_foreign("CLIP_VISION", ClipVision(FileRef("clip_vision", "a")))
    assert isinstance(found, clip_vision.ClipVisionModel) and not isinstance(found, clip_vision.Output)


def test_one_outside_of_the_folders_is_refused(loading: Folders) -> None:
    with pytest.raises(InputError, match="clip_vision"):
        clip_vision.load("/elsewhere/vision.safetensors")
