import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import grey_dilation, grey_erosion

from nodes.pixels.masks import OPERATIONS, composite, feather, grow

masks = arrays(
    np.float32,
    st.tuples(st.integers(1, 2), st.integers(1, 6), st.integers(1, 6)),
    elements=st.floats(0, 1, width=32),
).map(torch.from_numpy)
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])


def dot(side=5):
    mask = torch.zeros(1, side, side)
    mask[0, side // 2, side // 2] = 1
    return mask


def test_a_dot_grows_into_a_square_or_a_diamond():
    rows = torch.arange(5)
    distance = (rows - 2).abs()[:, None] + (rows - 2).abs()
    assert torch.equal(grow(dot(), 2, tapered_corners=False), torch.ones(1, 5, 5))
    assert torch.equal(grow(dot(), 2, tapered_corners=True)[0], (distance <= 2).float())


@given(masks, st.integers(-3, 3), st.booleans())
def test_growing_is_repeated_grey_dilation_or_erosion(mask, cells, tapered):
    step = grey_dilation if cells > 0 else grey_erosion
    expected = mask.numpy()
    for _ in range(abs(cells)):
        expected = np.stack([step(plane, footprint=CROSS if tapered else np.ones((3, 3))) for plane in expected])
    assert np.array_equal(grow(mask, cells, tapered_corners=tapered).numpy(), expected)


def test_a_huge_growth_ends_when_nothing_changes():
    assert torch.equal(grow(dot(), 16384, tapered_corners=True), torch.ones(1, 5, 5))


@given(masks)
def test_growing_by_nothing_is_a_copy(mask):
    same = grow(mask, 0, tapered_corners=True)
    assert torch.equal(same, mask) and same.data_ptr() != mask.data_ptr()


A = torch.tensor([[[0.0, 0.2, 0.6, 1.0]]])
B = torch.tensor([[[1.0, 0.6, 0.6, 0.4]]])


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("multiply", [0, 0.12, 0.36, 0.4]),
        ("add", [1, 0.8, 1, 1]),
        ("subtract", [0, 0, 0, 0.6]),
        ("and", [0, 0, 1, 0]),
        ("or", [1, 1, 1, 1]),
        ("xor", [1, 1, 0, 1]),
    ],
)
def test_operations(operation, expected):
    assert torch.allclose(composite(A, B, 0, 0, operation), torch.tensor([[expected]]).float())


def test_only_the_part_under_the_source_changes():
    result = composite(torch.zeros(1, 3, 4), torch.ones(1, 2, 3), 2, 2, "add")
    assert result[0].tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 1]]


def test_a_source_outside_changes_nothing():
    assert torch.equal(composite(A, B, 9, 9, "add"), A)


def test_one_mask_serves_a_batch_on_either_side():
    batch = torch.stack([torch.zeros(2, 2), torch.ones(2, 2)])
    one = torch.full((1, 2, 2), 0.5)
    assert composite(one, batch, 0, 0, "multiply").tolist() == (batch * 0.5).tolist()
    assert composite(batch, one, 0, 0, "multiply").tolist() == (batch * 0.5).tolist()


@given(masks, st.integers(0, 7), st.integers(0, 7), st.sampled_from(sorted(OPERATIONS)))
def test_composite_stays_in_range_and_leaves_its_inputs(mask, x, y, operation):
    before = mask.clone()
    result = composite(mask, mask, x, y, operation)
    assert result.shape == mask.shape and result.min() >= 0 and result.max() <= 1
    assert torch.equal(mask, before)


def test_a_way_to_fade_out_that_is_longer_than_the_mask_is_cut_to_it():
    assert feather(4, 0, 100).tolist() == feather(4, 0, 4).tolist() == [1, 0.75, 0.5, 0.25]
    assert feather(4, 100, 2).tolist() == [0.25, 0.5, 0.75, 0.5]
