import torch

from nodes import EMBEDDED
from nodes.models import families
from nodes.models import lora as loras
from nodes.models.weights import open_weights
from nodes.training.additions.lora import DARK, LIGHT, photograph, train
from nodes.training.additions.own import Own, checkpoint_path
from nodes.training.device import Device
from nodes.training.parts import load

CPU = Device(torch.device("cpu"), torch.float32)
CHECKPOINT = checkpoint_path("tiny-portrait.safetensors")


def belongs(path):
    """Return how many changes a LoRA makes, and its tensors that belong nowhere."""
    base, lora = open_weights(CHECKPOINT), open_weights(path)
    unet = families.detect(base).unet
    return len(loras.fit(lora, base, unet)), loras.check(lora, [(base, unet)])


def test_it_is_written_as_others_are_and_changes_every_layer_of_the_blocks(tmp_path):
    parts, path = load(CHECKPOINT), tmp_path / "a.safetensors"
    before = {name: tensor.clone() for name, tensor in parts.unet.state_dict().items()}
    own = Own(["portrait of a man"] * 2, torch.rand(2, 64, 64, 3, generator=torch.Generator().manual_seed(1)))
    losses = []
    train(parts, own, path, CPU, steps=2, batch=2, seed=3, told=lambda step, loss: losses.append(loss))
    assert len(losses) == 2
    count, lost = belongs(path)
    assert count > 60 and lost == ()
    weights = open_weights(path)
    assert any(weights.tensor(name).any() for name in weights.infos if name.endswith("lora_up.weight"))
    after = parts.unet.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


def test_the_one_that_ships_belongs_to_the_model_that_ships_and_is_small():
    (path,) = (EMBEDDED / "loras").iterdir()
    assert belongs(path)[1] == () and path.stat().st_size < 2**20


def test_a_photograph_has_the_tones_of_a_print():
    black, white, red = photograph(torch.tensor([[0.0, 0, 0], [1, 1, 1], [1, 0, 0]]))
    assert torch.allclose(black, torch.tensor(DARK)) and torch.allclose(white, torch.tensor(LIGHT))
    assert red[0] > red[1] > red[2]
