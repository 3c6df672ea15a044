from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.errors import ModelError
from nodes.models.assemble import assemble
from nodes.models.families import detect
from nodes.models.families.checkpoint import Network
from nodes.models.lora import Patch, fit
from nodes.models.weights import Weights, open_weights
from tests.nodes.models import tiny

CPU = torch.device("cpu")


def text_of(weights: Weights) -> Network:
    return detect(weights).text[0].network


def test_tensors_that_fit_are_views_of_the_file(models: Path) -> None:
    weights = open_weights(models / "checkpoints" / "tiny")
    network = text_of(weights)
    built = assemble(network, weights, CPU, (torch.float32,)).state_dict()
    assert all(built[name].data_ptr() == weights.tensor(key).data_ptr() for name, key in network.keys.items())


def test_casts_follow_one_another(models: Path) -> None:
    weights = open_weights(models / "checkpoints" / "tiny")
    network = text_of(weights)
    built = assemble(network, weights, CPU, (torch.float16, torch.float32))
    assert not built.training
    for name, parameter in built.named_parameters():
        assert not parameter.requires_grad
        assert torch.equal(parameter, weights.tensor(network.keys[name]).half().float())


def test_a_patch_copies_what_it_touches_and_is_rounded_once(models: Path) -> None:
    weights, lora = open_weights(models / "checkpoints" / "tiny"), open_weights(models / "loras" / "lora")
    network = text_of(weights)
    patches = [Patch(lora, fit(lora, weights, network), 0.6), Patch(lora, fit(lora, weights, network), 0.3)]
    casts = (torch.float16, torch.float32)
    plain = assemble(network, weights, CPU, casts).state_dict()
    built = assemble(network, weights, CPU, casts, patches, plain).state_dict()
    touched = "encoder.layers.1.mlp.fc1.weight"
    assert [name for name in built if built[name].data_ptr() != plain[name].data_ptr()] == [touched]
    content, name = tiny.lora(), "lora_te_text_model_encoder_layers_1_mlp_fc1"
    change = content[f"{name}.lora_up.weight"] @ content[f"{name}.lora_down.weight"]
    exact = weights.tensor(network.keys[touched]) + 0.6 * change + 0.3 * change
    assert torch.equal(built[touched], exact.half().float())


def test_a_missing_tensor_is_an_error(tmp_path: Path, tiny_tensors: dict[str, Tensor]) -> None:
    lost = "cond_stage_model.transformer.text_model.final_layer_norm.bias"
    content = {name: tensor for name, tensor in tiny_tensors.items() if name != lost}
    weights = open_weights(tiny.write(tmp_path / "x", content))
    with pytest.raises(ModelError, match="x lacks 1 of the") as raised:
        assemble(text_of(weights), weights, CPU, (torch.float32,))
    assert raised.value.got == "no final_layer_norm.bias"


def test_a_tensor_of_another_shape_is_an_error(tmp_path: Path, tiny_tensors: dict[str, Tensor]) -> None:
    name = "cond_stage_model.transformer.text_model.final_layer_norm.bias"
    weights = open_weights(tiny.write(tmp_path / "x", {**tiny_tensors, name: torch.zeros(31)}))
    with pytest.raises(ModelError, match="a tensor of the wrong shape"):
        assemble(text_of(weights), weights, CPU, (torch.float32,))
