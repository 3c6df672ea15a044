import torch
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from engine.folders import Folders
from nodes.packs.names.comfy_api.latest import io, ui


class Own(io.ComfyNode):
    hidden = io.HiddenHolder(prompt={"1": {}}, extra_pnginfo={"workflow": {}})


def test_pictures_are_shown_from_the_temporary_folder(folders: Folders) -> None:
    shown = ui.PreviewImage(torch.rand(2, 4, 6, 3), cls=Own).as_dict()
    assert shown["animated"] == (False,) and len(shown["images"]) == 2
    first = shown["images"][0]
    assert (first.type, first.subfolder) == ("temp", "") and first["filename"] == first.filename
    with Image.open(folders.temp / first.filename) as picture:
        assert isinstance(picture, PngImageFile)
        assert picture.size == (6, 4) and picture.text == {"prompt": '{"1": {}}', "workflow": "{}"}
    (mask,) = ui.PreviewMask(torch.ones(4, 6)).as_dict()["images"]
    with Image.open(folders.temp / mask.filename) as picture:
        assert picture.getpixel((0, 0)) == (255, 255, 255)


def test_pictures_are_saved_in_the_output_folder(folders: Folders) -> None:
    shown = ui.ImageSaveHelper.get_save_images_ui(torch.rand(1, 4, 4, 3), "a/b", Own)
    assert shown.as_dict() == {"images": [{"filename": "b_00001_.png", "subfolder": "a", "type": "output"}]}
    assert (folders.output / "a" / "b_00001_.png").is_file()


def test_other_things_are_shown_under_the_names_that_clients_know() -> None:
    saved = ui.SavedResult("v.mp4", "", io.FolderType.output)
    assert ui.PreviewVideo([saved]).as_dict() == {"images": [saved], "animated": (True,)}
    assert ui.SavedImages([saved], is_animated=True).as_dict() == {"images": [saved], "animated": (True,)}
    assert ui.PreviewText("t").as_dict() == {"text": ("t",)}
    assert ui.PreviewUI3D("m.glb").as_dict() == {"result": ["m.glb", None, None]}
