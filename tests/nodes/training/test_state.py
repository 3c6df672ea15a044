from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from engine.errors import ModelError
from nodes.training import state
from nodes.training.state import Progress


def trained() -> tuple[dict[str, nn.Module], dict[str, nn.Module], torch.optim.Optimizer]:
    torch.manual_seed(0)
    module, average = nn.Linear(3, 2), nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(module.parameters(), 0.1)
    module(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return {"net": module}, {"net": average}, optimizer


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    modules, averages, optimizer = trained()
    progress = Progress(7, 1.5, 28, 0.25, {"size": 128})
    state.save(tmp_path, modules, averages, optimizer, progress)
    fresh, other = {"net": nn.Linear(3, 2)}, {"net": nn.Linear(3, 2)}
    slots = torch.optim.AdamW(fresh["net"].parameters(), 0.1)
    assert state.load(tmp_path, fresh, other, slots) == progress
    assert torch.equal(fresh["net"].weight, modules["net"].weight)
    assert torch.equal(other["net"].bias, averages["net"].bias)
    for index, wanted in optimizer.state_dict()["state"].items():
        found = slots.state_dict()["state"][index]
        assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())
    last = {"net": nn.Linear(3, 2)}
    state.load_averages(tmp_path, last)
    assert torch.equal(last["net"].weight, averages["net"].weight)


def test_nothing_is_left_beside_it(tmp_path: Path) -> None:
    state.save(tmp_path, *trained(), Progress())
    assert [path.name for path in tmp_path.iterdir()] == [state.STATE]
    assert state.exists(tmp_path)
    assert not state.exists(tmp_path / "other")


def test_another_network_is_refused(tmp_path: Path) -> None:
    state.save(tmp_path, *trained(), Progress())
    with pytest.raises(ModelError, match="other networks"):
        state.load_averages(tmp_path, {"net": nn.Linear(4, 2)})


def test_another_file_is_refused(tmp_path: Path) -> None:
    save_file({"average.net.weight": torch.zeros(2, 3), "average.net.bias": torch.zeros(2)}, tmp_path / state.STATE)
    with pytest.raises(ModelError, match="not the state of a training"):
        state.load_averages(tmp_path, {"net": nn.Linear(3, 2)})
