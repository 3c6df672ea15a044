import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nodes.latent_math import (
    latent_add,
    latent_batch_seed_behavior,
    latent_interpolate,
    latent_multiply,
    latent_subtract,
)
from nodes.recipes import Latent


def noise(seed, *shape):
    return Latent(torch.randn(shape, generator=torch.Generator().manual_seed(seed)))


A, B = noise(1, 2, 4, 6, 8), noise(2, 2, 4, 6, 8)


def test_sums_and_differences():
    assert torch.equal(latent_add(A, B).samples, A.samples + B.samples)
    assert torch.equal(latent_subtract(A, B).samples, A.samples - B.samples)
    assert torch.equal(latent_multiply(A, -2.5).samples, A.samples * -2.5)


def test_the_second_takes_size_and_batch_of_the_first():
    small = Latent(torch.ones(1, 4, 3, 3))
    assert torch.equal(latent_add(A, small).samples, A.samples + 1)


@pytest.mark.parametrize(("ratio", "expected"), [(1.0, A), (0.0, B)])
def test_interpolation_has_both_ends(ratio, expected):
    torch.testing.assert_close(latent_interpolate(A, B, ratio).samples, expected.samples)


@given(st.floats(0, 1))
def test_interpolation_mixes_lengths_linearly(ratio):
    length = latent_interpolate(A, B, ratio).samples.norm(dim=1)
    torch.testing.assert_close(length, A.samples.norm(dim=1) * ratio + B.samples.norm(dim=1) * (1 - ratio))


def test_interpolation_of_nothing_is_nothing():
    empty = Latent(torch.zeros(1, 4, 2, 2))
    assert not latent_interpolate(empty, empty, 0.5).samples.any()


def test_fixed_seeds_take_the_first_place():
    assert latent_batch_seed_behavior(A).batch_index == (0, 0)
    assert latent_batch_seed_behavior(Latent(A.samples, batch_index=(5, 7)), "fixed").batch_index == (5, 5)
    assert latent_batch_seed_behavior(Latent(A.samples, batch_index=(5, 7)), "random").batch_index is None
