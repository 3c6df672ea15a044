from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.errors import ModelError
from nodes.models import families
from nodes.models.assemble import assemble
from nodes.models.families.checkpoint import Network
from nodes.models.weights import Weights, open_weights
from tests.nodes.models import tiny, tiny_t5

KEPT = (torch.float16, torch.float32)


def opened(path: Path, content: dict[str, Tensor]) -> tuple[Weights, Network]:
    weights = open_weights(tiny.write(path / "t5", content, {}))
    found = families.detect(weights)
    assert found.family == "t5xxl" and found.unet is found.vae is None
    return weights, found.text[0].network


def states(weights: Weights, network: Network) -> Tensor:
    module = assemble(network, weights, torch.device("cpu"), KEPT)
    with torch.no_grad():
        found: Tensor = module(input_ids=torch.tensor([[3, 9, 1712, 1, 0, 0]])).last_hidden_state
    return found


def expected() -> Tensor:
    with torch.no_grad():
        found: Tensor = tiny_t5.reference()(torch.tensor([[3, 9, 1712, 1, 0, 0]])).last_hidden_state
    return found


@pytest.mark.parametrize("prefix", ["", "text_encoders.t5xxl.transformer."])
def test_it_is_the_encoder_of_transformers(tmp_path: Path, prefix: str) -> None:
    weights, network = opened(tmp_path, {prefix + name: t for name, t in tiny_t5.encoder().items()})
    assert (network.config["num_layers"], network.config["num_heads"], network.config["d_kv"]) == (2, 2, 8)
    torch.testing.assert_close(states(weights, network), expected(), rtol=1e-5, atol=1e-5)


def test_an_encoder_with_another_vocabulary_is_refused(tmp_path: Path) -> None:
    content = tiny_t5.encoder() | {"shared.weight": torch.zeros(256_384, tiny_t5.WIDTH, dtype=torch.float16)}
    with pytest.raises(ModelError, match="another vocabulary") as error:
        families.detect(open_weights(tiny.write(tmp_path / "umt5", content, {})))
    assert error.value.got == "256384 tokens"


def test_matrices_stay_in_float16_and_compute_in_float32(tmp_path: Path) -> None:
    weights, network = opened(tmp_path, tiny_t5.encoder())
    state = assemble(network, weights, torch.device("cpu"), KEPT).state_dict()
    matrices = {name for name, tensor in state.items() if tensor.ndim == 2}
    assert {state[name].dtype for name in matrices} == {torch.float16}
    assert {tensor.dtype for name, tensor in state.items() if name not in matrices} == {torch.float32}
    assert states(weights, network).dtype == torch.float32


@pytest.mark.parametrize("named", ["scale_weight", "weight_scale"])
def test_scaled_8_bit_matrices_are_multiplied_by_their_factor(tmp_path: Path, named: str) -> None:
    scaled: dict[str, Tensor] = {}
    plain: dict[str, Tensor] = {}
    for name, tensor in tiny_t5.encoder().items():
        if tensor.ndim == 2 and name.startswith("encoder.block") and "bias" not in name:
            factor = tensor.float().abs().max() / 448
            scaled[name] = (tensor.float() / factor).to(torch.float8_e4m3fn)
            scaled[f"{name.removesuffix('weight')}{named}"] = factor
            plain[name] = scaled[name].float() * factor
        else:
            scaled[name], plain[name] = tensor, tensor.float()
    scaled["encoder.block.0.layer.0.SelfAttention.q.scale_input"] = torch.ones(())
    (tmp_path / "plain").mkdir()
    weights, network = opened(tmp_path, scaled)
    module = assemble(network, weights, torch.device("cpu"), KEPT)
    assert module.get_parameter("block.1.layer.1.DenseReluDense.wo.weight").dtype == torch.float8_e4m3fn
    other, whole = opened(tmp_path / "plain", plain)
    full = assemble(whole, other, torch.device("cpu"), (torch.float32, torch.float32))
    ids = torch.tensor([[3, 9, 1712, 1]])
    torch.testing.assert_close(module(input_ids=ids).last_hidden_state, full(input_ids=ids).last_hidden_state)
