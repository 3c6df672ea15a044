"""Workflows as people saved them run to their pictures, on tiny models that take the place of those that they name."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from tests.acceptance.command import loomis
from tests.nodes.models import tiny
from tests.parity.cases import REFERENCE

pytestmark = [pytest.mark.reference, pytest.mark.slow]

PAIRS = REFERENCE / "corpus" / "pairs"
EXAMPLES = "c__comfyanonymous+ComfyUI_examples__"
CLASSICS = {
    "text to image": "c__Comfy-Org+docs__public__text-to-image",
    "image to image": f"{EXAMPLES}img2img__img2img_workflow_png",
    "inpaint": f"{EXAMPLES}inpaint__inpain_model_cat_png",
    "inpaint with a mask": "c__Comfy-Org+docs__images__tutorial__basic__inpaint__inpaint_sd1.5_pruned_emaonly_copy_png",
    "outpaint": f"{EXAMPLES}inpaint__inpain_model_outpainting_png",
    "LoRA": f"{EXAMPLES}lora__lora_multiple_png",
    "ControlNet": f"{EXAMPLES}controlnet__controlnet_example_png",
    "hires": "c__pwillia7+Basic_ComfyUI_Workflows__Basic__WorkflowJsons__hiresfix",
    "upscale": f"{EXAMPLES}upscale_models__esrgan_example_png",
}
UNET = tiny.UNET | {
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
}
"""Attention at half the size of the latent alone: pictures of 512 pixels take seconds."""

VAE = tiny.VAE | {
    "block_out_channels": (8, 8, 8, 8),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}
TEXT = tiny.TEXT | {"vocab_size": 49408, "bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407}
CONTROL = tiny.CONTROL | {
    "conditioning_embedding_out_channels": (4, 4, 8, 8),
    "down_block_types": UNET["down_block_types"],
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Folders with one tiny model of each kind, under names that no workflow has."""
    home = tmp_path_factory.mktemp("corpus")
    models = home / "models"
    made = tiny.modules(UNET, VAE, TEXT)
    tensors = tiny.tensors(*made)
    metadata = tiny.METADATA | {"modelspec.resolution": "512x512"}
    tiny.write(models / "checkpoints" / "tiny.safetensors", tensors, metadata)
    vae = {name.removeprefix("first_stage_model."): t for name, t in tensors.items() if name.startswith("first_stage")}
    tiny.write(models / "vae" / "tiny-vae.safetensors", vae, metadata)
    lora = {name.replace("down_blocks_0", "down_blocks_1"): tensor for name, tensor in tiny.lora(width=32).items()}
    tiny.write(models / "loras" / "tiny-lora.safetensors", lora, {})
    tiny.write(models / "controlnet" / "tiny-control.safetensors", tiny.control(CONTROL), tiny.METADATA)
    upscaler = {f"body.{i}.weight": torch.randn(*shape, 3, 3) * 0.1 for i, shape in {0: (4, 3), 2: (48, 4)}.items()}
    upscaler |= {"body.0.bias": torch.zeros(4), "body.1.weight": torch.full((4,), 0.2), "body.2.bias": torch.zeros(48)}
    (models / "upscale_models").mkdir()
    save_file(upscaler, models / "upscale_models" / "tiny-x4.safetensors")
    return home


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", CLASSICS)
def test_a_classic_workflow_runs_as_it_was_saved(name, home: Path):
    document = PAIRS / CLASSICS[name] / "saved.json"
    api = json.loads((document.parent / "api.json").read_text())
    for node in api.values():
        if node["class_type"] == "LoadImage":
            picture = home / "input" / node["inputs"]["image"].split("/")[-1]
            picture.parent.mkdir(exist_ok=True)
            shade = Image.linear_gradient("L").resize((128, 128))
            Image.merge("RGBA", (shade, shade.rotate(90), shade, shade.point(lambda grey: 255 * (grey > 128)))).save(
                picture, "PNG"
            )
    told = loomis(home, "run", document, "--nearest-models", "--json", "--precision", "fp32", python=())
    assert told.code == 0, told.out[-2000:]
    models = {node["inputs"]["ckpt_name"] for node in api.values() if "ckpt_name" in node["inputs"]}
    warnings = " ".join(line["message"] for line in told.lines if line.get("event") == "warned")
    assert all(f"takes the place of {model}." in warnings for model in models)
    saves = [id for id, node in api.items() if node["class_type"] in ("SaveImage", "PreviewImage")]
    assert told.lines[-1]["result"]["outputs"].keys() == set(saves)
    for file in told.files:
        with Image.open(file) as image:
            assert image.convert("L").getextrema()[0] < image.convert("L").getextrema()[1]
            assert json.loads(image.text["workflow"]) == json.loads(document.read_text())
