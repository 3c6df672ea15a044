import torch

from nodes import EMBEDDED, vocabulary
from nodes.packs import current
from nodes.packs.names.comfy.utils import load_torch_file
from nodes.packs.names.comfy_extras.chainner_models import model_loading
from nodes.packs.names.folder_paths import get_full_path_or_raise
from tests.nodes.calls import model_context


def test_an_upscaler_is_made_of_its_file(folders: object) -> None:
    ctx = model_context(EMBEDDED)
    current.begin(ctx.folders, vocabulary())
    with current.running("pack", "Type", ctx):
        weights = load_torch_file(get_full_path_or_raise("upscale_models", "realesr-animevideov3_x4.safetensors"))
        upscaler = model_loading.load_state_dict(weights).eval()
        assert upscaler.scale == 4 and upscaler(torch.rand(1, 3, 4, 4)).shape == (1, 3, 16, 16)
