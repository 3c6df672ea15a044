import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.errors import ModelError
from nodes.models.assemble import assemble
from nodes.models.families import sd1
from nodes.models.families.checkpoint import Checkpoint, Defaults, LatentFormat
from nodes.models.families.sd1 import detect
from nodes.models.weights import open_weights
from tests.nodes.models import tiny

REFERENCE = Path(os.environ.get("LOOMIS_REFERENCE", Path(__file__).parents[5] / "shared"))


def found(path: Path) -> Checkpoint:
    checkpoint = detect(open_weights(path))
    assert checkpoint
    return checkpoint


def test_a_tiny_checkpoint_with_metadata(models: Path) -> None:
    checkpoint = found(models / "checkpoints" / "tiny")
    assert checkpoint.unet and checkpoint.vae
    assert checkpoint.unet.config == tiny.UNET
    assert checkpoint.vae.config == tiny.VAE
    assert [encoder.network.config for encoder in checkpoint.text] == [tiny.TEXT]
    assert checkpoint.prediction == "v"
    assert checkpoint.latent == LatentFormat(4, 2, 0.5, ((0.1, 0.2, 0.3),) * 4)
    assert checkpoint.defaults == Defaults(64, 32, 8, 3.0)
    (encoder,) = checkpoint.text
    assert (encoder.vocabulary, encoder.length, encoder.width, encoder.pad, encoder.layer) == (600, 77, 32, 599, -1)


def test_the_tensors_of_a_checkpoint_come_back_bit_equal(models: Path) -> None:
    weights = open_weights(models / "checkpoints" / "tiny")
    checkpoint = found(models / "checkpoints" / "tiny")
    networks = [checkpoint.unet, checkpoint.vae, checkpoint.text[0].network]
    for network, module in zip(networks, tiny.modules(), strict=True):
        assert network
        built = assemble(network, weights, torch.device("cpu"), (torch.float32,)).state_dict()
        assert built.keys() == module.state_dict().keys()
        assert all(torch.equal(built[name], tensor) for name, tensor in module.state_dict().items())


WIDE: dict[str, Any] = {"block_out_channels": (32, 64), "norm_num_groups": 32, "attention_head_dim": 8}
WIDE_VAE: dict[str, Any] = {"block_out_channels": (32, 32), "norm_num_groups": 32}


def test_without_metadata_it_is_sd15(tmp_path: Path) -> None:
    text = {**tiny.TEXT, "hidden_size": 128, "num_attention_heads": 2}
    unet = {**tiny.UNET, **WIDE, "in_channels": 9, "cross_attention_dim": 128}
    made = tiny.modules(unet, {**tiny.VAE, **WIDE_VAE}, text)
    checkpoint = found(tiny.write(tmp_path / "x", tiny.tensors(*made), {}))
    assert checkpoint.unet and checkpoint.vae
    assert checkpoint.unet.config == unet
    assert checkpoint.text[0].network.config == text
    assert checkpoint.prediction == "eps"
    assert checkpoint.latent == LatentFormat(4, 2, 0.18215, sd1.RGB, space="sd1")
    assert checkpoint.defaults == sd1.DEFAULTS


def test_a_marker_key_means_v_prediction(tmp_path: Path, tiny_tensors: dict[str, Tensor]) -> None:
    metadata = {"config": tiny.METADATA["config"]}
    assert found(tiny.write(tmp_path / "eps", tiny_tensors, metadata)).prediction == "eps"
    marked = {**tiny_tensors, "v_pred": torch.zeros(1)}
    assert found(tiny.write(tmp_path / "v", marked, metadata)).prediction == "v"


@pytest.mark.parametrize("config", ["no json", "[]", "5", '{"unet": 3, "vae": null, "preview": [[1]]}'])
def test_metadata_that_means_nothing_is_not_used(tmp_path: Path, config: str) -> None:
    made = tiny.modules({**tiny.UNET, **WIDE}, {**tiny.VAE, **WIDE_VAE})
    metadata = {"config": config, "modelspec.resolution": "big", "modelspec.prediction_type": "?"}
    checkpoint = found(tiny.write(tmp_path / "x", tiny.tensors(*made), metadata))
    assert (checkpoint.prediction, checkpoint.defaults) == ("eps", sd1.DEFAULTS)


@pytest.mark.parametrize("config", [{}, {"unet": {"norm_num_groups": 5}}, {"unet": {"norm_num_groups": 0}}])
def test_widths_and_metadata_that_contradict_are_an_error(
    tmp_path: Path, tiny_tensors: dict[str, Tensor], config: dict[str, Any]
) -> None:
    path = tiny.write(tmp_path / "x", tiny_tensors, {"config": json.dumps(config)})
    with pytest.raises(ModelError, match="the unet of x has widths that its norm_num_groups does not divide"):
        detect(open_weights(path))


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def test_parts_alone_are_known(tmp_path: Path, models: Path, tiny_tensors: dict[str, Tensor]) -> None:
    vae = found(models / "vae" / "alone")
    assert vae.vae and not vae.unet and not vae.text
    assert (vae.latent.channels, vae.latent.factor) == (4, 2)
    unet = found(tiny.write(tmp_path / "unet", part(tiny_tensors, "model.diffusion_model.")))
    assert unet.unet and not unet.vae and not unet.text
    assert (unet.latent.channels, unet.latent.factor) == (4, 8)
    text = found(tiny.write(tmp_path / "text", part(tiny_tensors, "cond_stage_model.transformer.")))
    assert text.text and not text.unet and not text.vae


def test_a_text_encoder_of_another_vocabulary_is_an_error(tmp_path: Path, tiny_tensors: dict[str, Tensor]) -> None:
    name = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
    path = tiny.write(tmp_path / "x", {**tiny_tensors, name: torch.zeros(60_000, 32)})
    with pytest.raises(ModelError, match="not one of CLIP's"):
        detect(open_weights(path))


@pytest.mark.parametrize(
    "extra",
    [
        {"conditioner.embedders.1.model.ln_final.weight": torch.zeros(1)},
        {"cond_stage_model.model.ln_final.weight": torch.zeros(1)},
        {"model.diffusion_model.label_emb.0.0.weight": torch.zeros(4, 4)},
    ],
)
def test_other_families_are_left_to_others(
    tmp_path: Path, tiny_tensors: dict[str, Tensor], extra: dict[str, Tensor]
) -> None:
    assert detect(open_weights(tiny.write(tmp_path / "x", {**tiny_tensors, **extra}))) is None


@pytest.mark.reference
def test_the_embedded_model() -> None:
    path = REFERENCE / "embedded" / "tiny-portrait.safetensors"
    if not path.exists():
        pytest.skip(f"no {path}")
    weights, checkpoint = open_weights(path), found(path)
    config = json.loads(weights.metadata["config"])
    assert checkpoint.unet and checkpoint.vae
    for name, value in checkpoint.unet.config.items():
        stated = config["unet"][name]
        assert (
            value == (tuple(stated) if isinstance(stated, list) else stated) or name == "transformer_layers_per_block"
        )
    assert checkpoint.vae.config["norm_num_groups"] == 4
    assert checkpoint.text[0].network.config == config["text"]
    assert (checkpoint.prediction, checkpoint.latent.factor, checkpoint.defaults.width) == ("v", 8, 128)
    for network in (checkpoint.unet, checkpoint.vae, checkpoint.text[0].network):
        assemble(network, weights, torch.device("cpu"), (torch.float32,))
    known = {key for net in (checkpoint.unet, checkpoint.vae, checkpoint.text[0].network) for key in net.keys.values()}
    assert set(weights.infos) - known <= {"v_pred"}
