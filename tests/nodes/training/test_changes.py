from pathlib import Path

import pytest
import torch

from nodes.models import families, lora
from nodes.models.assemble import assemble
from nodes.models.weights import TRAINED, in_memory, open_weights
from nodes.training.changes import MAKERS, attach, fresh, layers

CPU = torch.device("cpu")


@pytest.mark.parametrize("algorithm", MAKERS)
def test_it_begins_as_no_change_of_every_layer_in_the_blocks(models: Path, algorithm: str) -> None:
    base = open_weights(models / "checkpoints" / "tiny")
    network = families.detect(base).unet
    assert network
    module = assemble(network, base, CPU, (torch.float32,))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    shapes = layers(module)
    assert "mid_block.resnets.0.conv1.weight" in shapes and len(shapes) > 60
    assert not any("time_emb" in name or name.startswith("conv_") for name in shapes)
    file = in_memory(TRAINED, fresh(shapes, algorithm, 3, torch.Generator().manual_seed(1)))  # type: ignore[arg-type]
    changes = lora.fit(file, base, network)
    assert changes.keys() == shapes.keys() and lora.check(file, [(base, network)]) == ()
    made = attach(module, changes, file, CPU)
    with torch.no_grad():
        for name, shape in shapes.items():
            weight = module.get_submodule(name.removesuffix(".weight")).weight
            assert tuple(weight.shape) == shape
            torch.testing.assert_close(weight, before[name], rtol=1e-5, atol=1e-6)
    trained = [parameter for each in made for parameter in each.parameters()]
    frozen = [p for name, p in module.named_parameters() if "parametrizations" not in name or "original" in name]
    assert all(p.requires_grad for p in trained) and not any(p.requires_grad for p in frozen)


def test_what_a_rank_means() -> None:
    draw = torch.Generator().manual_seed(1)
    shapes = {
        algorithm: {name: tuple(t.shape) for name, t in make((24, 16, 3, 3), 4, draw).items()}
        for algorithm, make in MAKERS.items()
    }
    assert shapes["LoRA"] == {"lora_up.weight": (24, 4, 1, 1), "lora_down.weight": (4, 16, 3, 3), "alpha": ()}
    assert shapes["LoHa"]["hada_w1_a"] == (24, 4) and shapes["LoHa"]["hada_w2_b"] == (4, 144)
    assert shapes["LoKr"] == {"lokr_w1": (4, 4), "lokr_w2": (6, 4, 3, 3), "alpha": ()}
    assert shapes["OFT"] == {"oft_blocks": (6, 4, 4), "alpha": ()}
    small = {name: tuple(t.shape) for name, t in MAKERS["LoKr"]((320, 320), 2, draw).items()}
    assert small == {"lokr_w1": (16, 16), "lokr_w2_a": (20, 2), "lokr_w2_b": (2, 20), "alpha": ()}
    assert MAKERS["OFT"]((24, 16), 1, draw)["oft_blocks"].shape == (12, 2, 2)
