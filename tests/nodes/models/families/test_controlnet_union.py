from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.errors import ModelError
from nodes.models.assemble import assemble
from nodes.models.families import controlnet, controlnet_union
from nodes.models.weights import Weights, open_weights
from tests.nodes.models import tiny

CPU = torch.device("cpu")


def opened(folder: Path, content: dict[str, Tensor]) -> Weights:
    return open_weights(tiny.write(folder / "union", content))


@pytest.mark.parametrize("prefix", ["control_model.", "", None])
@pytest.mark.parametrize("types", [6, 8])
def test_every_tensor_has_its_place_in_either_layout(tmp_path: Path, prefix: str | None, types: int) -> None:
    tensors = tiny.union(types=types)
    weights = opened(tmp_path, tensors if prefix is None else tiny.original_control(tensors, prefix))
    network = controlnet.detect(weights)
    assert set(network.keys.values()) == set(weights.infos)
    assert dict(network.config) == {**tiny.CONTROL, "control_types": types, "transformer_layers": 1}
    assert controlnet.factor(network) == 2
    built = assemble(network, weights, CPU, (torch.float32,)).state_dict()
    assert torch.equal(built["controlnet_cond_embedding.task_embedding"], tensors["task_embedding"])
    assert torch.equal(built["class_embedding.linear_1.weight"], tensors["control_add_embedding.linear_1.weight"])


@pytest.mark.parametrize(
    "gone", ["task_embedding", "spatial_ch_projs", "control_add_embedding", "transformer_layes.0.ln"]
)
def test_half_a_union_is_an_error(tmp_path: Path, gone: str) -> None:
    content = {name: tensor for name, tensor in tiny.union().items() if not name.startswith(gone)}
    with pytest.raises(ModelError, match=r"do not make up a ControlNet|lacks \d+ of the"):
        weights = opened(tmp_path, content)
        assemble(controlnet.detect(weights), weights, CPU, (torch.float32,))


def test_a_plain_controlnet_has_no_types(tmp_path: Path) -> None:
    assert controlnet_union.names(tiny.control()) == {}
    assert "control_types" not in controlnet.detect(opened(tmp_path, tiny.control())).config
