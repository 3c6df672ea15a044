import gc
import weakref
from collections import Counter
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nodes.models.families import ldm_unet
from nodes.models.memory import staying, taken
from nodes.models.streaming import Stream, blocks
from tests.nodes.models import tiny

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def whole() -> nn.Module:
    return tiny.modules()[0]


def streamed(whole: nn.Module, largest: int, kept: int = 0) -> tuple[nn.Module, Stream, list[str]]:
    """A UNet with the weights of ``whole``, of which all but some blocks come when they are called."""
    weights, asked = whole.state_dict(), []
    with torch.device("meta"):
        module = ldm_unet.build(tiny.UNET)
    sizes = dict(list(blocks(module, largest, lambda name: weights[name].nbytes))[kept:])
    stay = {name: tensor for name, tensor in weights.items() if not name.startswith(tuple(f"{n}." for n in sizes))}
    module.load_state_dict(stay, assign=True, strict=False)

    def source(name: str) -> torch.Tensor:
        asked.append(name)
        return weights[name].clone()

    return module.eval().requires_grad_(False), Stream(module, sizes, source, CPU), asked


def predicted(module: nn.Module, seed: int = 0) -> torch.Tensor:
    draw = partial(torch.randn, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return module(draw(2, 4, 8, 8), torch.tensor([7.0, 7.0]), draw(2, 77, 32)).sample


@pytest.mark.parametrize("largest", [0, 2_000, 20_000, 60_000])
def test_blocks_are_the_whole_and_overlap_nowhere(whole: nn.Module, largest: int) -> None:
    weights = whole.state_dict()
    found = dict(blocks(whole, largest, lambda name: weights[name].nbytes))
    for name in whole.state_dict():
        assert sum(name.startswith(f"{block}.") for block in found) == 1
    assert sum(found.values()) == sum(parameter.nbytes for parameter in whole.parameters())
    for name, size in found.items():
        assert size <= largest or not list(whole.get_submodule(name).children())


@pytest.mark.parametrize("largest", [2_000, 20_000])
@pytest.mark.parametrize("kept", [0, 5])
def test_a_streamed_network_predicts_the_same_bits(whole: nn.Module, largest: int, kept: int) -> None:
    module, stream, _ = streamed(whole, largest, kept)
    for seed in range(3):
        assert torch.equal(predicted(module, seed), predicted(whole, seed))
    assert stream.peak_bytes <= 2 * max(stream.sizes.values())


def test_no_more_than_a_block_and_the_next_are_there(whole: nn.Module) -> None:
    module, stream, _ = streamed(whole, 20_000)
    everything = sum(stream.sizes.values())
    predicted(module)
    assert 0 < stream.peak_bytes <= 2 * max(stream.sizes.values()) < everything
    predicted(module)
    assert stream.peak_bytes <= 2 * max(stream.sizes.values())
    assert stream.resident_bytes <= max(stream.sizes.values())
    assert all(parameter.is_meta for parameter in module.parameters())


def test_each_tensor_comes_once_a_pass(whole: nn.Module) -> None:
    module, stream, asked = streamed(whole, 20_000)
    predicted(module)
    assert sorted(asked) == sorted(whole.state_dict())
    predicted(module)
    predicted(module)
    ahead = next(name for name in stream.sizes if asked[0].startswith(f"{name}."))
    assert {times for name, times in Counter(asked).items() if not name.startswith(f"{ahead}.")} == {3}
    assert {times for name, times in Counter(asked).items() if name.startswith(f"{ahead}.")} <= {3, 4}


def test_another_order_is_served_too(whole: nn.Module) -> None:
    module, stream, _ = streamed(whole, 2_000)
    predicted(module)
    embedding = torch.randn(1, 16)
    with torch.no_grad():
        assert torch.equal(module.time_embedding(embedding), whole.time_embedding(embedding))
    assert torch.equal(predicted(module), predicted(whole))
    assert stream.peak_bytes <= 2 * max(stream.sizes.values())


def test_a_failure_leaves_it_as_it_was(whole: nn.Module) -> None:
    module, stream, _ = streamed(whole, 20_000)
    predicted(module)
    with pytest.raises(RuntimeError), torch.no_grad():
        module(torch.zeros(1, 3, 8, 8), torch.tensor([1.0]), torch.zeros(1, 77, 32))
    assert all(parameter.is_meta for parameter in module.parameters())
    assert stream.resident_bytes <= 2 * max(stream.sizes.values())
    assert torch.equal(predicted(module), predicted(whole))


def test_it_goes_without_the_garbage_collector(whole: nn.Module) -> None:
    gc.disable()
    try:
        module, stream, _ = streamed(whole, 20_000)
        predicted(module)
        gone = weakref.ref(module), weakref.ref(stream)
        del module, stream
        assert [each() for each in gone] == [None, None]
    finally:
        gc.enable()


@given(st.lists(st.integers(1, 50), max_size=12), st.integers(-5, 400))
def test_as_many_blocks_stay_as_fit(sizes: list[int], room: int) -> None:
    count = staying(sizes, room)
    assert count == 0 or taken(sizes, count) <= room
    assert all(taken(sizes, more) > room for more in range(count + 1, len(sizes) + 1))
    assert room < sum(sizes) or count == len(sizes)
