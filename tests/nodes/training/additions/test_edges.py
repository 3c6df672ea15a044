import torch

from nodes.models.families import controlnet
from nodes.models.weights import open_weights
from nodes.training.additions.edges import HINT, train
from nodes.training.additions.own import Own, checkpoint_path
from nodes.training.device import Device
from nodes.training.parts import load


def test_it_is_written_as_others_are(tmp_path):
    parts, path = load(checkpoint_path("tiny-portrait.safetensors")), tmp_path / "a.safetensors"
    own = Own(["portrait of a man"] * 2, torch.rand(2, 64, 64, 3, generator=torch.Generator().manual_seed(1)))
    losses = []
    cpu = Device(torch.device("cpu"), torch.float32)
    train(parts, own, path, cpu, steps=2, batch=2, seed=3, told=lambda step, loss: losses.append(loss))
    weights = open_weights(path)
    network = controlnet.detect(weights)
    assert len(losses) == 2 and controlnet.factor(network) == parts.design.factor
    assert tuple(network.config["conditioning_embedding_out_channels"]) == HINT
    assert network.config["norm_num_groups"] == parts.design.unet["norm_num_groups"]
    assert weights.tensor("controlnet_mid_block.weight").any(), "it has learned something"
    kept = parts.unet.state_dict()["down_blocks.0.resnets.0.conv1.weight"]
    assert torch.allclose(weights.tensor("down_blocks.0.resnets.0.conv1.weight").float(), kept, atol=1e-2)
