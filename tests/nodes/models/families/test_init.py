from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.errors import ModelError
from nodes.models.assemble import assemble
from nodes.models.families import detect
from nodes.models.weights import open_weights
from tests.nodes.models import tiny


def test_a_checkpoint_is_known(models: Path) -> None:
    assert detect(open_weights(models / "checkpoints" / "tiny")).family == "sd1"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("conditioner.embedders.1.model.ln_final.weight", "an SDXL checkpoint"),
        ("model.diffusion_model.label_emb.0.0.weight", "a UNet of SDXL's kind"),
        ("cond_stage_model.model.ln_final.weight", "a Stable Diffusion 2 checkpoint"),
        ("double_blocks.0.img_attn.qkv.weight", "a Flux model"),
        ("model.diffusion_model.joint_blocks.0.x", "a Stable Diffusion 3 model"),
        ("control_model.input_blocks.0.0.weight", "a ControlNet"),
        ("lora_unet_mid_block_resnets_0_conv1.lora_up.weight", "a LoRA"),
        ("unet.mid_block.attentions.0.proj_in.lora_A.weight", "a LoRA"),
        ("emb_params", "a textual inversion embedding"),
        ("body.0.weight", "an upscaler"),
    ],
)
def test_what_no_family_knows_is_named(tmp_path: Path, name: str, kind: str) -> None:
    save_file({name: torch.zeros(1)}, tmp_path / "x")
    with pytest.raises(ModelError, match="not of a family that is known") as raised:
        detect(open_weights(tmp_path / "x"))
    assert raised.value.got == f"looks like {kind}"


def test_weights_with_scales_are_refused(tmp_path: Path, tiny_tensors: dict[str, Tensor]) -> None:
    name = "model.diffusion_model.input_blocks.1.1.proj_in.scale_weight"
    with pytest.raises(ModelError, match="few bits with scales") as raised:
        detect(open_weights(tiny.write(tmp_path / "x", {**tiny_tensors, name: torch.tensor(2.0)})))
    assert raised.value.got == name


@pytest.mark.parametrize("lost", ["middle_block.1", "input_blocks.1.0.in_layers.2", "out.2", "input_blocks.0"])
def test_a_checkpoint_with_holes_is_an_error(tmp_path: Path, tiny_tensors: dict[str, Tensor], lost: str) -> None:
    prefix = f"model.diffusion_model.{lost}."
    only_unet = {
        name: tensor
        for name, tensor in tiny_tensors.items()
        if name.startswith("model.") and not name.startswith(prefix)
    }
    with pytest.raises(ModelError):
        detect(open_weights(tiny.write(tmp_path / "x", only_unet)))


@pytest.mark.parametrize(
    "name",
    [
        "cond_stage_model.transformer.text_model.encoder.layers.{}.mlp.fc1.bias",
        "model.diffusion_model.input_blocks.{}.0.op.weight",
        "first_stage_model.encoder.down.{}.block.0.norm1.weight",
    ],
)
def test_numbers_in_names_do_not_size_what_is_built(tmp_path: Path, tiny_tensors: dict[str, Tensor], name: str) -> None:
    weights = open_weights(tiny.write(tmp_path / "x", {**tiny_tensors, name.format(10**12): torch.zeros(1)}))
    with pytest.raises(ModelError):
        checkpoint = detect(weights)
        for network in (checkpoint.unet, checkpoint.vae, checkpoint.text[0].network):
            assert network
            assemble(network, weights, torch.device("cpu"), (torch.float32,))
