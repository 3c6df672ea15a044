from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.errors import ModelError
from nodes.models import families, lora
from nodes.models.assemble import assemble
from nodes.models.families import clip_text, components, open_clip, sdxl
from nodes.models.families.checkpoint import Checkpoint, Network
from nodes.models.families.sdxl import detect
from nodes.models.weights import Weights, open_weights
from nodes.recipes import Cond
from nodes.sampling.noise_levels import stable_diffusion, zero_terminal_snr
from tests.nodes.models import tiny, tiny_xl

KINDS: Mapping[str, Mapping[str, Any]] = {
    "sdxl": tiny_xl.unet_config((0, 2, 10)),
    "vega": tiny_xl.unet_config((0, 1, 2), transformer_layers_per_block=(1, 1, 2), mid_block_type="UNetMidBlock2D"),
    "ssd": tiny_xl.unet_config(
        (0, 2, 4),
        transformer_layers_per_block=(1, 2, 4),
        mid_block_type="UNetMidBlock2D",
        reverse_transformer_layers_per_block=((4, 4, 10), (2, 1, 1), (1, 1, 1)),
    ),
    "koala-700m": tiny_xl.unet_config((0, 2, 5), blocks=1, transformer_layers_per_block=(1, 2, 5), mid_block_type=None),
    "koala-1b": tiny_xl.unet_config((0, 2, 6), blocks=1),
    "refiner": tiny_xl.REFINER,
    "inpainting": {**tiny_xl.UNET, "in_channels": 9},
}


@pytest.fixture(scope="module")
def made() -> dict[str, nn.Module]:
    return tiny_xl.modules()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, made: dict[str, nn.Module]) -> Weights:
    return open_weights(tiny.write(tmp_path_factory.mktemp("xl") / "xl", tiny_xl.tensors(made), {}))


@pytest.fixture(scope="module")
def checkpoint(weights: Weights) -> Checkpoint:
    return families.detect(weights)


def written(path: Path, content: dict[str, Tensor]) -> Weights:
    return open_weights(tiny.write(path / "x", content, {}))


def vega() -> dict[str, Tensor]:
    return tiny_xl.tensors(tiny_xl.modules(KINDS["vega"]))


def assert_bit_equal(network: Network | None, weights: Weights, module: nn.Module) -> None:
    assert network
    built = assemble(network, weights, torch.device("cpu"), (torch.float32,)).state_dict()
    assert built.keys() == module.state_dict().keys()
    assert all(torch.equal(built[name], tensor) for name, tensor in module.state_dict().items())


def test_what_a_checkpoint_holds(checkpoint: Checkpoint) -> None:
    assert checkpoint.unet and checkpoint.vae
    assert (checkpoint.family, checkpoint.prediction) == ("sdxl", "eps")
    assert checkpoint.unet.config == tiny_xl.UNET
    assert checkpoint.vae.config == tiny_xl.VAE
    assert [encoder.network.config for encoder in checkpoint.text] == [tiny_xl.L_READ, tiny_xl.G]
    assert [(e.name, e.pad, e.layer, e.final_norm, e.pools) for e in checkpoint.text] == [
        ("l", 599, -2, False, False),
        ("g", 0, -2, False, True),
    ]
    assert (checkpoint.latent.scale, checkpoint.latent.factor, checkpoint.latent.space) == (0.13025, 2, "sdxl")
    assert checkpoint.defaults == sdxl.DEFAULTS
    assert torch.equal(checkpoint.levels().table, stable_diffusion().table)


def test_the_tensors_of_a_checkpoint_come_back_bit_equal(
    checkpoint: Checkpoint, weights: Weights, made: dict[str, nn.Module]
) -> None:
    text = {encoder.name: encoder.network for encoder in checkpoint.text}
    for name, network in {"unet": checkpoint.unet, "vae": checkpoint.vae, **text}.items():
        assert_bit_equal(network, weights, made[name])
    networks = [network for network in (checkpoint.unet, checkpoint.vae, *text.values()) if network]
    assert {key for network in networks for key in network.keys.values()} == set(weights.infos)


def test_query_key_and_value_lie_in_one_tensor_and_the_projection_is_turned(
    weights: Weights, made: dict[str, nn.Module]
) -> None:
    state = made["g"].state_dict()
    fused = weights.tensor("conditioner.embedders.1.model.transformer.resblocks.2.attn.in_proj_weight")
    parts = [state[f"encoder.layers.2.self_attn.{part}.weight"] for part in ("q_proj", "k_proj", "v_proj")]
    assert torch.equal(fused, torch.cat(parts))
    stored = weights.tensor("conditioner.embedders.1.model.text_projection")
    assert torch.equal(stored, state["text_projection.weight"].T)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_unet(tmp_path: Path, kind: str) -> None:
    is_refiner = kind == "refiner"
    module = tiny_xl.unet(KINDS[kind])
    content = components.unet_layout(module.state_dict())
    found = detect(written(tmp_path, content))
    assert found and found.unet
    assert found.unet.config == KINDS[kind]
    assert found.family == ("sdxl-refiner" if is_refiner else "sdxl")
    assert (found.vae, found.text, found.latent.factor, found.latent.space) == (None, (), 8, "sdxl")
    assert_bit_equal(found.unet, open_weights(tmp_path / "x"), module)


def test_a_refiner_has_one_encoder(tmp_path: Path) -> None:
    made = tiny_xl.modules(tiny_xl.REFINER, is_refiner=True)
    weights = written(tmp_path, tiny_xl.tensors(made))
    found = families.detect(weights)
    assert [encoder.name for encoder in found.text] == ["g"]
    assert_bit_equal(found.text[0].network, weights, made["g"])


@pytest.mark.parametrize("marks", [(), ("v_pred",), ("v_pred", "ztsnr"), ("ztsnr",)])
def test_marker_keys(tmp_path: Path, marks: tuple[str, ...]) -> None:
    found = families.detect(written(tmp_path, {**vega(), **{mark: torch.zeros(1) for mark in marks}}))
    assert found.prediction == ("v" if "v_pred" in marks else "eps")
    usual = stable_diffusion()
    expected = zero_terminal_snr(usual) if len(marks) == 2 else usual
    assert torch.equal(found.levels().table, expected.table)


@pytest.mark.parametrize(
    ("config", "extra", "got"),
    [
        (tiny_xl.unet_config((0, 1, 1)), {}, "depths (0, 0, 1, 1, 1, 1)"),
        (tiny_xl.unet_config((0, 1, 2), context=32), {}, "a context of 32"),
        ({**tiny_xl.REFINER, "cross_attention_dim": 64}, {}, "a context of 64"),
        (tiny_xl.UNET, {"edm_mean": torch.zeros(4)}, "edm_mean"),
        ({**tiny_xl.UNET, "use_linear_projection": False}, {}, "depths"),
    ],
)
def test_relatives_that_are_not_known_are_an_error(
    tmp_path: Path, config: Mapping[str, Any], extra: dict[str, Tensor], got: str
) -> None:
    content = components.unet_layout(tiny_xl.unet(config).state_dict())
    with pytest.raises(ModelError, match="a relative of SDXL that is not known") as raised:
        families.detect(written(tmp_path, {**content, **extra}))
    assert got in str(raised.value.got)


def test_other_files_are_left_to_others(models: Path) -> None:
    assert detect(open_weights(models / "checkpoints" / "tiny")) is None
    assert detect(open_weights(models / "vae" / "alone")) is None


def test_the_large_encoder_alone(tmp_path: Path) -> None:
    """In both layouts that people have it in; only its 32 layers tell it from others."""
    module = tiny.filled(clip_text.build({**tiny_xl.G, "num_hidden_layers": 32}), 4)
    layouts = {
        "open": open_clip.original(module.state_dict()),
        "transformers": {
            name if name.startswith("text_projection") else f"text_model.{name}": tensor
            for name, tensor in module.state_dict().items()
        },
    }
    for name, content in layouts.items():
        weights = open_weights(tiny.write(tmp_path / name, content, {}))
        (encoder,) = families.detect(weights).text
        assert (encoder.name, encoder.pad, encoder.pools) == ("g", 0, True)
        assert_bit_equal(encoder.network, weights, module)


def prompt(**options: Any) -> Cond:
    return Cond(torch.zeros(1, 77, 64), torch.ones(1, 32), options)


def test_sizes_are_those_of_the_picture_unless_stated(checkpoint: Checkpoint) -> None:
    inputs = checkpoint.inputs(prompt(), (2, 4, 24, 16), False)
    assert inputs["time_ids"].tolist() == [[48, 32, 0, 0, 48, 32]]
    assert torch.equal(inputs["text_embeds"], torch.ones(1, 32))
    stated = {"width": 1, "height": 2, "crop_w": 3, "crop_h": 4, "target_width": 5, "target_height": 6}
    assert checkpoint.inputs(prompt(**stated), (1, 4, 8, 8), True)["time_ids"].tolist() == [[2, 1, 4, 3, 6, 5]]
    some = checkpoint.inputs(prompt(width=640), (1, 4, 8, 8), False)["time_ids"]
    assert some.tolist() == [[16, 640, 0, 0, 16, 640]]


def test_the_refiner_is_told_a_score(tmp_path: Path) -> None:
    module = tiny_xl.unet(tiny_xl.REFINER)
    found = families.detect(written(tmp_path, components.unet_layout(module.state_dict())))
    for options, is_negative, score in (({}, False, 6.0), ({}, True, 2.5), ({"aesthetic_score": 4.5}, True, 4.5)):
        inputs = found.inputs(prompt(**options), (1, 4, 8, 8), is_negative)
        assert inputs["time_ids"].tolist() == [[64, 64, 0, 0, score]]


@pytest.mark.parametrize("pooled", [None, torch.ones(1, 48)])
def test_a_prompt_without_its_vector_is_an_error(checkpoint: Checkpoint, pooled: Tensor | None) -> None:
    with pytest.raises(ModelError, match="encoded for another family"):
        checkpoint.inputs(Cond(torch.zeros(1, 77, 64), pooled), (1, 4, 8, 8), False)


UNET_KEY = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"
LAYER = "encoder.layers.1.self_attn.q_proj"


@pytest.mark.parametrize(
    ("part", "module", "parameter"),
    [
        ("unet", "lora_unet_" + UNET_KEY.replace(".", "_"), UNET_KEY),
        ("unet", "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k", UNET_KEY),
        ("unet", f"unet.{UNET_KEY}", UNET_KEY),
        ("l", "lora_te1_text_model_" + LAYER.replace(".", "_"), LAYER),
        ("l", f"text_encoder.text_model.{LAYER}", LAYER),
        ("g", "lora_te2_text_model_" + LAYER.replace(".", "_"), LAYER),
        ("g", f"text_encoder_2.text_model.{LAYER}", LAYER),
        ("g", "lora_te2_text_projection", "text_projection"),
    ],
)
def test_names_in_loras(
    tmp_path: Path, checkpoint: Checkpoint, weights: Weights, part: str, module: str, parameter: str
) -> None:
    networks = {"unet": checkpoint.unet, **{encoder.name: encoder.network for encoder in checkpoint.text}}
    wide = 64 if part == "unet" else 32
    up, down = f"{module}.lora_up.weight", f"{module}.lora_down.weight"
    adapter = written(tmp_path, {up: torch.ones(32, 2), down: torch.ones(2, wide)})
    fitted = {name: lora.fit(adapter, weights, network) for name, network in networks.items() if network}
    expected = {f"{parameter}.weight": lora.Pair(up, down, None)}
    assert fitted == {name: expected if name == part else {} for name in networks}


def test_a_lora_changes_one_of_the_three_that_lie_together(
    tmp_path: Path, checkpoint: Checkpoint, weights: Weights, made: dict[str, nn.Module]
) -> None:
    network = checkpoint.text[1].network
    module = "lora_te2_text_model_" + LAYER.replace(".", "_")
    up, down = torch.randn(32, 2), torch.randn(2, 32)
    adapter = written(tmp_path, {f"{module}.lora_up.weight": up, f"{module}.lora_down.weight": down})
    patch = lora.Patch(adapter, lora.fit(adapter, weights, network), 0.5)
    built = assemble(network, weights, torch.device("cpu"), (torch.float32,), [patch]).state_dict()
    before = made["g"].state_dict()
    changed = [name for name in before if not torch.equal(before[name], built[name])]
    assert changed == [f"{LAYER}.weight"]
    assert torch.allclose(built[changed[0]], before[changed[0]] + 0.5 * up @ down)
