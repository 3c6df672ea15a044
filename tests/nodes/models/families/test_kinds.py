from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from nodes.models.families.kinds import looks_like
from nodes.models.weights import Weights, open_weights


def holding(path: Path, *names: str) -> Weights:
    save_file({name: torch.zeros(1) for name in names}, path)
    return open_weights(path)


@pytest.mark.parametrize(("name", "kind"), [
    ("lora_unet_double_blocks_0_img_attn_proj.lora_up.weight", "a LoRA for Flux"),
    ("down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.up.weight", "a LoRA"),
    ("unet.mid_block.attentions.0.proj_in.lora.up.weight", "a LoRA"),
    ("lllite_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.down.0.weight", "a ControlNet-LLLite"),
    ("style_embedding", "a style model"),
    ("controlnet_blocks.0.weight", "a ControlNet for another family"),
    ("control_model.enc_zero_convs_out.0.0.weight", "a ControlNet-XS"),
    ("lora_unet_mid_block_attentions_0_proj_in.on_input", "an (IA)3 of LyCORIS"),
    ("down_blocks.0.motion_modules.0.norm.weight", "a motion module"),
    ("cond_stage_model.transformer.text_model.final_layer_norm.bias", "a Stable Diffusion 1 checkpoint"),
    ("encoder.block.0.layer.0.SelfAttention.q.weight", "a T5 text encoder"),
])  # fmt: skip
def test_a_name_tells_what_a_file_is(tmp_path: Path, name: str, kind: str) -> None:
    assert looks_like(holding(tmp_path / "x", "other", name)) == f"looks like {kind}"


def test_a_file_of_unknown_tensors_shows_the_first(tmp_path: Path) -> None:
    assert looks_like(holding(tmp_path / "x", "a", "b", "c", "d")) == "4 tensors, the first are a, b, c"


def test_a_part_of_a_model_says_so(tmp_path: Path) -> None:
    weights = holding(tmp_path / "model-00002-of-00003.safetensors", "down_blocks.0.resnets.0.conv1.weight")
    assert looks_like(weights) == "part 2 of a model that is cut into 3 files"
