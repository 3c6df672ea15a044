"""LoRAs made of differences of weights."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nodes.models.extraction import extracted, factors
from nodes.models.saving import ready

CPU = torch.device("cpu")


def some(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def product(up: Tensor, down: Tensor) -> Tensor:
    return (up.flatten(1) @ down.flatten(1)).reshape(up.shape[0], *down.shape[1:])


@pytest.mark.parametrize("shape", [(8, 12), (8, 12, 1, 1), (8, 12, 3, 3)])
def test_an_even_difference_comes_back_whole(shape: tuple[int, ...]) -> None:
    difference = torch.full(shape, 0.25)
    up, down = factors(difference, 1)
    assert up.shape == (8, 1, *(1 for _ in shape[2:])) and down.shape == (1, *shape[1:])
    torch.testing.assert_close(product(up, down), difference)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 20))
def test_the_rank_is_at_most_that_of_the_difference(outputs: int, inputs: int, rank: int) -> None:
    up, down = factors(some(outputs, inputs), rank)
    assert up.shape == (outputs, min(rank, outputs, inputs)) and down.shape == (min(rank, outputs, inputs), inputs)


@given(st.integers(1, 12), st.sampled_from([(9,), (3, 3, 3), (5, 1, 1)]), st.integers(1, 8))
def test_no_product_of_the_rank_is_nearer(outputs: int, inner: tuple[int, ...], rank: int) -> None:
    difference = some(outputs, *inner, seed=outputs)
    rest = torch.linalg.svdvals(difference.flatten(1))[rank:].norm()
    far = (difference - product(*factors(difference, rank))).norm()
    torch.testing.assert_close(far, rest, atol=1e-4, rtol=1e-4)


DIFFERENCES = {
    "a.weight": some(8, 6), "a.bias": some(8), "norm.weight": some(8), "norm.bias": some(8),
    "c.weight": some(8, 6, 3, 3),
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "biases", "names"),
    [
        ("standard", False, ["a.lora_up.weight", "a.lora_down.weight", "c.lora_up.weight", "c.lora_down.weight"]),
        (
            "standard",
            True,
            [
                "a.lora_up.weight",
                "a.lora_down.weight",
                "a.diff_b",
                "norm.diff",
                "norm.diff_b",
                "c.lora_up.weight",
                "c.lora_down.weight",
            ],
        ),
        ("full_diff", False, ["a.diff", "norm.diff", "c.diff"]),
        ("full_diff", True, ["a.diff", "a.diff_b", "norm.diff", "norm.diff_b", "c.diff"]),
    ],
)
def test_what_a_file_gets(kind: str, biases: bool, names: list[str]) -> None:
    given = {name: ready(tensor) for name, tensor in DIFFERENCES.items()}
    seen: list[int] = []
    content = extracted(given, 2, kind, biases, CPU, seen.append)  # type: ignore[arg-type]
    assert list(content) == names and seen == [*range(5)]
    for saved in content.values():
        made = saved.make()
        assert made.dtype == torch.float16 and tuple(made.shape) == saved.info.shape
