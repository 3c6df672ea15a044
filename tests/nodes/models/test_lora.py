from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.errors import ModelError
from nodes.models import lora
from nodes.models.families import detect
from nodes.models.families.checkpoint import Network
from nodes.models.lora import Pair, Patch, check, fit, pairs
from nodes.models.patch import patched
from nodes.models.weights import Weights, open_weights
from tests.nodes.models import tiny

KEY = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
TEXT_KEY = "encoder.layers.1.mlp.fc1"


@pytest.fixture
def base(models: Path) -> Weights:
    return open_weights(models / "checkpoints" / "tiny")


@pytest.fixture
def unet(base: Weights) -> Network:
    network = detect(base).unet
    assert network
    return network


@pytest.fixture
def text(base: Weights) -> Network:
    return detect(base).text[0].network


def opened(folder: Path, content: dict[str, Tensor]) -> Weights:
    return open_weights(tiny.write(folder / "lora", content, {}))


def of_one(up: str, down: str) -> dict[str, Tensor]:
    return {up: torch.ones(16, 2), down: torch.ones(2, 32)}


UNET_NAMES = [
    of_one(f"lora_unet_{KEY.replace('.', '_')}.lora_up.weight", f"lora_unet_{KEY.replace('.', '_')}.lora_down.weight"),
    of_one(f"unet.{KEY}.lora_B.weight", f"unet.{KEY}.lora_A.weight"),
    of_one(f"unet.{KEY}.lora_B.default.weight", f"unet.{KEY}.lora_A.default.weight"),
    of_one(f"unet.{KEY}.lora.up.weight", f"unet.{KEY}.lora.down.weight"),
    of_one(
        "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora.up.weight",
        "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora.down.weight",
    ),
    of_one(
        "lora_unet_input_blocks_1_1_transformer_blocks_0_attn2_to_k.lora_up.weight",
        "lora_unet_input_blocks_1_1_transformer_blocks_0_attn2_to_k.lora_down.weight",
    ),
    of_one(
        "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.lora_B.weight",
        "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.lora_A.weight",
    ),
]


@pytest.mark.parametrize("content", UNET_NAMES)
def test_names_of_the_unet(tmp_path: Path, base: Weights, unet: Network, content: dict[str, Tensor]) -> None:
    up, down = content
    assert fit(opened(tmp_path, content), base, unet) == {f"{KEY}.weight": Pair(up, down, None)}


@pytest.mark.parametrize(
    "name",
    [
        f"lora_te_text_model_{TEXT_KEY.replace('.', '_')}.lora_{{}}.weight",
        f"text_encoder.text_model.{TEXT_KEY}.lora.{{}}.weight",
        f"text_encoder.text_model.{TEXT_KEY}.lora_linear_layer.{{}}.weight",
    ],
)
def test_names_of_the_text_encoder(tmp_path: Path, base: Weights, text: Network, name: str) -> None:
    up, down = name.format("up"), name.format("down")
    content = {up: torch.ones(64, 2), down: torch.ones(2, 32)}
    assert fit(opened(tmp_path, content), base, text) == {f"{TEXT_KEY}.weight": Pair(up, down, None)}


def test_early_diffusers_files_number_no_output_layer() -> None:
    name = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora"
    assert list(pairs([f"{name}.up.weight", f"{name}.down.weight"])) == [
        "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0"
    ]


def test_half_a_pair_is_none() -> None:
    assert pairs(["a.lora_up.weight", "a.alpha", "b.lora_down.weight"]) == {}


def test_unused_tensors_are_reported(tmp_path: Path, base: Weights, unet: Network, text: Network) -> None:
    odd = {"lora_unet_nowhere.lora_up.weight": torch.ones(1, 1), "lora_unet_nowhere.lora_down.weight": torch.ones(1, 1)}
    found = check(opened(tmp_path, {**tiny.lora(), **odd}), [(base, unet), (base, text)])
    assert sorted(found) == sorted(odd)
    text_names = [name for name in tiny.lora() if "_te_" in name]
    assert sorted(check(opened(tmp_path, tiny.lora()), [(base, unet)])) == sorted(text_names)


def test_a_lora_of_another_family_is_an_error(tmp_path: Path, base: Weights, unet: Network) -> None:
    with pytest.raises(ModelError, match="made for another model") as raised:
        fit(opened(tmp_path, tiny.lora(context=48)), base, unet)
    assert "(2, 48)" in str(raised.value.got)
    assert "(16, 32)" in str(raised.value.expected)


def test_a_lora_that_changes_nothing_is_an_error(tmp_path: Path, base: Weights, unet: Network) -> None:
    other = {"lora_unet_double_blocks_0.lora_up.weight": torch.ones(1, 1)}
    other["lora_unet_double_blocks_0.lora_down.weight"] = torch.ones(1, 1)
    with pytest.raises(ModelError, match="changes nothing in this model"):
        check(opened(tmp_path, other), [(base, unet)])


def test_a_file_without_pairs_is_not_a_lora(base: Weights, unet: Network) -> None:
    with pytest.raises(ModelError, match="is not a LoRA"):
        check(base, [(base, unet)])


def test_a_change_is_strength_times_alpha_over_rank(models: Path) -> None:
    content = tiny.lora()
    weights = open_weights(models / "loras" / "lora")
    name = f"lora_unet_{KEY.replace('.', '_')}"
    pair = pairs(content)[name]
    start = torch.ones(16, 32)
    product = content[pair.up] @ content[pair.down]
    twice = [Patch(weights, {"w": pair}, 0.5), Patch(weights, {"w": pair}, -2.0), Patch(weights, {}, 9.0)]
    assert torch.allclose(patched(start, "w", twice), start + (0.5 - 2.0) * product * (1.0 / 2))
    assert torch.equal(start, torch.ones(16, 32))


def test_a_convolution_without_alpha(models: Path) -> None:
    content = tiny.lora()
    pair = pairs(content)["lora_unet_mid_block_resnets_0_conv1"]
    result = patched(torch.zeros(32, 32, 3, 3), "w", [Patch(open_weights(models / "loras" / "lora"), {"w": pair}, 1.0)])
    expected = torch.einsum("or,rikl->oikl", content[pair.up][:, :, 0, 0], content[pair.down])
    assert torch.allclose(result, expected, atol=1e-5)


def test_every_target_is_a_weight(unet: Network) -> None:
    assert set(lora.targets(unet).values()) == {name for name in unet.keys if name.endswith(".weight")}
