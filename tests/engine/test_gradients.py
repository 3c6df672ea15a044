"""No history on wires; the caller's thread keeps its mode."""

import sys
import threading
from types import ModuleType

import pytest
import torch

import nodes  # noqa: F401  (registers the codec of tensors)
from engine.errors import NodeFailure
from engine.gradients import given_back, record_none
from engine.types import Anything
from tests.engine.words import Vocabulary, engine, n


def test_a_thread_of_ours_records_nothing_from_then_on():
    seen: list[bool] = []

    def ours() -> None:
        seen.append(torch.is_grad_enabled())
        record_none()
        seen.append(torch.is_grad_enabled())

    thread = threading.Thread(target=ours)
    thread.start()
    thread.join()
    assert seen == [True, False] and torch.is_grad_enabled()


@pytest.mark.parametrize("mode", [True, False])
def test_the_mode_is_given_back(mode: bool):
    with torch.set_grad_enabled(mode):
        with given_back():
            record_none()
            assert not torch.is_grad_enabled()
        assert torch.is_grad_enabled() is mode


@pytest.mark.parametrize("node", ["Scale", "ScaleAsync", "ScaleOnDevice"])
def test_what_lies_on_a_wire_has_no_history(node: str):
    words = Vocabulary()
    weight = torch.ones(3, requires_grad=True)

    def scale(by: float) -> Anything:
        if not by:
            raise ValueError("no scale")
        return weight * by

    words.registry.node("Scale")(scale)
    words.registry.node("ScaleOnDevice", resource="gpu")(scale)

    @words.registry.node("ScaleAsync")
    async def scale_async(by: float) -> Anything:
        return scale(by)

    with engine(words) as e:
        (found,) = e.run({"1": n(node, by=2.0)}, targets=["1"], values=["1"]).values["1"][0]
        assert not found.requires_grad and found.tolist() == [2, 2, 2] and torch.is_grad_enabled()
        with pytest.raises(NodeFailure):
            e.run({"1": n(node, by=0.0)}, targets=["1"])
        assert torch.is_grad_enabled()


def test_torch_may_be_half_imported_by_another_thread(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    with given_back():
        record_none()
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    monkeypatch.setitem(sys.modules, "torch._C", ModuleType("torch._C"))
    with given_back():
        record_none()
    assert torch.is_grad_enabled()
