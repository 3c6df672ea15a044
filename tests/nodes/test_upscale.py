import pytest
import spandrel
import torch
from PIL import Image
from safetensors.torch import save_file

import nodes
from engine import Engine, Folders
from engine.errors import InputError, ModelError
from engine.events import Progress
from nodes.pixels.files import read_image
from nodes.recipes import FileRef, UpscaleModel
from nodes.upscale import image_upscale_with_model, upscale_model_loader
from tests.nodes.calls import context, model_context

NAME = "realesr-animevideov3_x4.safetensors"


@pytest.fixture
def engine(tmp_path):
    folders = Folders(models=(nodes.EMBEDDED,), input=tmp_path, output=tmp_path / "out", temp=tmp_path / "temp")
    with Engine(nodes.vocabulary(), folders=folders) as engine:
        yield engine


def workflow(picture):
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": picture}},
        "2": {"class_type": "UpscaleModelLoader", "inputs": {"model_name": NAME}},
        "3": {"class_type": "ImageUpscaleWithModel", "inputs": {"upscale_model": ["2", 0], "image": ["1", 0]}},
        "4": {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}},
    }


def test_a_picture_is_enlarged_by_the_network(engine, tmp_path):
    levels = (torch.rand(24, 40, 3, generator=torch.Generator().manual_seed(0)) * 255).byte()
    Image.fromarray(levels.numpy()).save(tmp_path / "a.png")
    events = []
    result = engine.run(workflow("a.png"), values=["2", "3"], on_event=events.append)
    (recipe,), (enlarged,) = result.values["2"][0], result.values["3"][0]

    model = spandrel.ModelLoader(device="cpu").load_from_file(nodes.EMBEDDED / "upscale_models" / NAME)
    image, _ = read_image(tmp_path / "a.png")
    with torch.no_grad():
        expected = model.model(image.movedim(-1, 1)).clamp(0, 1).movedim(1, -1)
    assert isinstance(recipe, UpscaleModel) and recipe.file.folder == "upscale_models" and recipe.file.fingerprint
    assert enlarged.shape == (1, 96, 160, 3)
    assert torch.allclose(enlarged, expected, atol=1e-6)
    assert [(event.value, event.maximum) for event in events if isinstance(event, Progress)] == [(1, 1)]


def test_another_file_is_refused_before_anything_is_enlarged(tmp_path):
    (tmp_path / "upscale_models").mkdir()
    save_file({"lora_unet_x.lora_up.weight": torch.ones(2, 2)}, tmp_path / "upscale_models" / "style.safetensors")
    with pytest.raises(ModelError, match=r"style\.safetensors is not an upscaler that is known"):
        upscale_model_loader(model_context(tmp_path), "style.safetensors")


def test_a_picture_with_alpha_is_refused(tmp_path):
    recipe = UpscaleModel(FileRef("upscale_models", "unknown"))
    with pytest.raises(InputError, match="alpha channel"):
        image_upscale_with_model(context(Folders(input=tmp_path)), recipe, torch.zeros(1, 2, 2, 4))
