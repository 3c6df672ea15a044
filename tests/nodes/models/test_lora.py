from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from engine.errors import ModelError
from nodes.models import lora
from nodes.models.families import detect
from nodes.models.families.checkpoint import Network
from nodes.models.lora import Difference, Pair, Patch, changes, check, fit
from nodes.models.patch import patched
from nodes.models.weights import Weights, open_weights
from tests.nodes.models import tiny

KEY = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
CONVOLUTION = "mid_block.resnets.0.conv1"
TEXT_KEY = "encoder.layers.1.mlp.fc1"


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
    of_one(
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.lora_B.weight",
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.lora_A.weight",
    ),
    of_one(f"base_model.model.{KEY}.lora_B.weight", f"base_model.model.{KEY}.lora_A.weight"),
    of_one(f"unet.base_model.model.{KEY}.lora_B.weight", f"unet.base_model.model.{KEY}.lora_A.weight"),
    of_one(f"lycoris_{KEY.replace('.', '_')}.lora_up.weight", f"lycoris_{KEY.replace('.', '_')}.lora_down.weight"),
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
        f"base_model.model.text_model.{TEXT_KEY}.lora.{{}}.weight",
    ],
)
def test_names_of_the_text_encoder(tmp_path: Path, base: Weights, text: Network, name: str) -> None:
    up, down = name.format("up"), name.format("down")
    content = {up: torch.ones(64, 2), down: torch.ones(2, 32)}
    assert fit(opened(tmp_path, content), base, text) == {f"{TEXT_KEY}.weight": Pair(up, down, None)}


def test_early_diffusers_files_number_no_output_layer() -> None:
    name = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora"
    assert list(changes([f"{name}.up.weight", f"{name}.down.weight"])) == [
        "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0.weight"
    ]


@pytest.mark.parametrize(("part", "module"), [("to_q", "q_proj"), ("to_out", "out_proj")])
def test_early_diffusers_files_name_the_layers_of_a_text_encoder_as_those_of_a_unet(part: str, module: str) -> None:
    attention = "text_encoder.text_model.encoder.layers.0.self_attn"
    names = [f"{attention}.{part}_lora.{end}.weight" for end in ("up", "down")]
    assert list(changes(names)) == [f"{attention}.{module}.weight"]


def test_half_a_pair_is_none() -> None:
    assert changes(["a.lora_up.weight", "a.alpha", "b.lora_down.weight"]) == {}


def test_unused_tensors_are_reported(tmp_path: Path, base: Weights, unet: Network, text: Network) -> None:
    odd = {"lora_unet_nowhere.lora_up.weight": torch.ones(1, 1), "lora_unet_nowhere.lora_down.weight": torch.ones(1, 1)}
    found = check(opened(tmp_path, {**tiny.lora(), **odd}), [(base, unet), (base, text)])
    assert sorted(found) == sorted(odd)
    text_names = [name for name in tiny.lora() if "_te_" in name]
    assert sorted(check(opened(tmp_path, tiny.lora()), [(base, unet)])) == sorted(text_names)


def test_a_lora_of_another_family_is_an_error(tmp_path: Path, base: Weights, unet: Network) -> None:
    with pytest.raises(ModelError, match="made for another model") as raised:
        fit(opened(tmp_path, tiny.lora(context=48)), base, unet)
    assert str(raised.value.got) == f"lora_up (16, 2), lora_down (2, 48), alpha () for {KEY}.weight"
    assert "(16, 32)" in str(raised.value.expected)


FLUX = of_one(
    "lora_unet_double_blocks_0_img_mlp_0.lora_up.weight", "lora_unet_double_blocks_0_img_mlp_0.lora_down.weight"
)
TEXT_ONE = f"lora_te1_text_model_{TEXT_KEY.replace('.', '_')}"


@pytest.mark.parametrize("beside", [
    {},
    {f"{TEXT_ONE}.lora_up.weight": torch.ones(64, 2), f"{TEXT_ONE}.lora_down.weight": torch.ones(2, 32)},
])  # fmt: skip
def test_a_lora_of_which_only_the_text_encoder_is_there_is_an_error(
    tmp_path: Path, base: Weights, unet: Network, text: Network, beside: dict[str, Tensor]
) -> None:
    with pytest.raises(ModelError, match=r"lora does not fit tiny: it is made for another family") as raised:
        check(opened(tmp_path, {**beside, **FLUX}), [(base, unet), (base, text)])
    assert str(raised.value.got) == (
        "1 changes, the first for lora_unet_double_blocks_0_img_mlp_0.weight (looks like a LoRA for Flux)"
    )


def test_a_lora_of_the_text_encoder_alone_is_one(tmp_path: Path, base: Weights, unet: Network, text: Network) -> None:
    content = {f"{TEXT_ONE}.lora_up.weight": torch.ones(64, 2), f"{TEXT_ONE}.lora_down.weight": torch.ones(2, 32)}
    assert check(opened(tmp_path, content), [(base, unet), (base, text)]) == ()


def test_a_file_without_pairs_is_not_a_lora(base: Weights, unet: Network) -> None:
    with pytest.raises(ModelError, match="is not a LoRA that is known") as raised:
        check(base, [(base, unet)])
    assert raised.value.got == "looks like a Stable Diffusion 1 checkpoint"


def test_a_change_is_strength_times_alpha_over_rank(models: Path) -> None:
    content = tiny.lora()
    weights = open_weights(models / "loras" / "lora")
    pair = changes(content)[f"lora_unet_{KEY.replace('.', '_')}.weight"]
    assert isinstance(pair, Pair)
    start = torch.ones(16, 32)
    product = content[pair.up] @ content[pair.down]
    twice = [Patch(weights, {"w": pair}, 0.5), Patch(weights, {"w": pair}, -2.0), Patch(weights, {}, 9.0)]
    assert torch.allclose(patched(start, "w", twice), start + (0.5 - 2.0) * product * (1.0 / 2))
    assert torch.equal(start, torch.ones(16, 32))


def test_a_convolution_without_alpha(models: Path) -> None:
    content = tiny.lora()
    pair = changes(content)["lora_unet_mid_block_resnets_0_conv1.weight"]
    assert isinstance(pair, Pair)
    result = patched(torch.zeros(32, 32, 3, 3), "w", [Patch(open_weights(models / "loras" / "lora"), {"w": pair}, 1.0)])
    expected = torch.einsum("or,rikl->oikl", content[pair.up][:, :, 0, 0], content[pair.down])
    assert torch.allclose(result, expected, atol=1e-5)


def test_every_tensor_of_a_network_has_a_name_in_files(unet: Network) -> None:
    assert {name for found in lora.targets(unet).values() for name, _ in found} == set(unet.keys)


def test_a_pair_with_a_middle_is_three_convolutions(tmp_path: Path, base: Weights, unet: Network) -> None:
    draw = torch.Generator().manual_seed(1)
    up, mid, down = (torch.randn(shape, generator=draw) for shape in ((32, 3, 1, 1), (3, 3, 3, 3), (3, 32, 1, 1)))
    name = "lora_unet_mid_block_resnets_0_conv1"
    content = {f"{name}.lora_up.weight": up, f"{name}.lora_mid.weight": mid, f"{name}.lora_down.weight": down}
    file = opened(tmp_path, {**content, f"{name}.alpha": torch.tensor(6.0)})
    assert check(file, [(base, unet)]) == ()
    x = torch.randn(1, 32, 8, 8, generator=draw)
    weight = Patch(file, fit(file, base, unet), 0.5).applied(torch.zeros(32, 32, 3, 3), f"{CONVOLUTION}.weight")
    inner = conv2d(conv2d(x, down), mid, padding=1)
    torch.testing.assert_close(conv2d(x, weight, padding=1), conv2d(inner, up) * 0.5 * 6 / 3, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", [(3, 3, 1, 1), (2, 3, 3, 3), (3, 2, 3, 3), (3, 3)])
def test_a_middle_that_does_not_fit_is_an_error(
    tmp_path: Path, base: Weights, unet: Network, shape: tuple[int, ...]
) -> None:
    name = "lora_unet_mid_block_resnets_0_conv1"
    shapes = {"up": (32, 3, 1, 1), "mid": shape, "down": (3, 32, 1, 1)}
    content = {f"{name}.lora_{role}.weight": torch.ones(size) for role, size in shapes.items()}
    with pytest.raises(ModelError, match="made for another model"):
        fit(opened(tmp_path, content), base, unet)


DIFFERENCES = {
    "kohya": ("lora_unet_mid_block_resnets_0_conv1.diff", "lora_unet_mid_block_resnets_0_conv1.diff_b", CONVOLUTION),
    "original": ("diffusion_model.middle_block.0.in_layers.2.diff",
                 "diffusion_model.middle_block.0.in_layers.2.diff_b", CONVOLUTION),
    "diffusers": ("unet.mid_block.resnets.0.conv1.diff", "unet.mid_block.resnets.0.conv1.diff_b", CONVOLUTION),
    "a norm of LyCORIS": ("lora_unet_mid_block_resnets_0_norm1.w_norm", "lora_unet_mid_block_resnets_0_norm1.b_norm",
                          "mid_block.resnets.0.norm1"),
}  # fmt: skip


@pytest.mark.parametrize("layout", DIFFERENCES)
def test_differences_of_weights_and_biases_are_added(tmp_path: Path, base: Weights, unet: Network, layout: str) -> None:
    weight, bias, module = DIFFERENCES[layout]
    shape = unet.shape(base, f"{module}.weight")
    content = {weight: torch.randn(shape), bias: torch.randn(32)}
    file = opened(tmp_path, content)
    assert check(file, [(base, unet)]) == ()
    fitted = fit(file, base, unet)
    assert fitted == {f"{module}.weight": Difference(weight), f"{module}.bias": Difference(bias)}
    patch = Patch(file, fitted, -0.5)
    torch.testing.assert_close(patch.applied(torch.ones(shape), f"{module}.weight"), 1 - 0.5 * content[weight])
    torch.testing.assert_close(patch.applied(torch.ones(32), f"{module}.bias"), 1 - 0.5 * content[bias])


def test_a_bias_of_the_text_encoder_may_change_alone(tmp_path: Path, base: Weights, text: Network) -> None:
    name = f"lora_te_text_model_{TEXT_KEY.replace('.', '_')}.diff_b"
    assert fit(opened(tmp_path, {name: torch.ones(64)}), base, text) == {f"{TEXT_KEY}.bias": Difference(name)}


def test_a_difference_of_another_size_is_an_error(tmp_path: Path, base: Weights, unet: Network) -> None:
    content = {"lora_unet_mid_block_resnets_0_conv1.diff": torch.ones(32, 32, 1, 1)}
    with pytest.raises(ModelError, match="made for another model"):
        fit(opened(tmp_path, content), base, unet)


def test_tensors_beside_a_change_that_it_does_not_take_are_reported(
    tmp_path: Path, base: Weights, unet: Network
) -> None:
    name = f"lora_unet_{KEY.replace('.', '_')}"
    others = {f"{name}.diff": torch.ones(16, 32), f"{name}.diff_b": torch.ones(16), f"{name}.reshape": torch.ones(2)}
    content = of_one(f"{name}.lora_up.weight", f"{name}.lora_down.weight")
    assert check(opened(tmp_path, {**content, **others}), [(base, unet)]) == tuple(sorted(others))
