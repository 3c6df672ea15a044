import pytest
import torch

import nodes
from nodes.packs.objects import from_foreign, to_foreign
from nodes.packs.objects.members import NoSuchMember
from nodes.recipes import FileRef, UpscaleModel
from nodes.upscale import image_upscale_with_model
from tests.nodes.calls import model_context
from tests.nodes.test_upscale import NAME

RECIPE = UpscaleModel(FileRef("upscale_models", NAME))


@pytest.fixture(scope="module")
def ctx():
    return model_context(nodes.EMBEDDED)


def test_pictures_are_enlarged_as_by_our_node(ctx):
    picture, model = torch.rand(1, 8, 12, 3), to_foreign("UPSCALE_MODEL", RECIPE)
    assert model.to("cuda").eval() is model and model.scale == 4
    enlarged = model(picture.movedim(-1, 1)).movedim(1, -1).clamp(0, 1)
    torch.testing.assert_close(enlarged, image_upscale_with_model(ctx, RECIPE, picture).clamp(0, 1))
    assert model(picture.movedim(-1, 1).half()).dtype == torch.float16
    assert from_foreign("UPSCALE_MODEL", model) == RECIPE
    with pytest.raises(NoSuchMember):
        _ = model.architecture
