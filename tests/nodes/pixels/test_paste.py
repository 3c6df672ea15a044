import torch
from hypothesis import given
from hypothesis import strategies as st

from nodes.pixels.paste import feather, paste

SIDE = st.integers(1, 9)


@given(SIDE, SIDE, SIDE, SIDE, st.integers(0, 12), st.integers(0, 12))
def test_only_what_is_covered_changes(height, width, rows, columns, x, y):
    below, above = torch.zeros(1, 2, height, width), torch.ones(1, 2, rows, columns)
    result = paste(below, above, x, y)
    covered = torch.zeros(height, width)
    covered[y : y + rows, x : x + columns] = 1
    assert torch.equal(result, covered.expand_as(below))
    assert not below.any()


def test_a_mask_says_how_much_shows():
    mask = torch.tensor([[1.0, 0.25]])[None, None]
    result = paste(torch.full((1, 1, 1, 4), 8.0), torch.zeros(1, 1, 1, 2), 1, 0, mask)
    assert result.flatten().tolist() == [8, 0, 6, 8]


def test_batches_start_again():
    above = torch.tensor([1.0, 2.0]).reshape(2, 1, 1, 1)
    mask = torch.tensor([1.0, 1.0, 0.0]).reshape(3, 1, 1, 1)
    assert paste(torch.zeros(3, 1, 1, 1), above, 0, 0).flatten().tolist() == [1, 2, 1]
    assert paste(torch.zeros(3, 1, 1, 1), above, 0, 0, mask).flatten().tolist() == [1, 2, 0]


def test_a_feather_fades_towards_inner_borders_only():
    mask = feather(1, 6, 2, 0, (1, 8), 2)[0, 0, 0]
    assert mask.tolist() == [0.5, 1, 1, 1, 1, 1]
    assert feather(1, 6, 1, 0, (1, 8), 2)[0, 0, 0].tolist() == [0.5, 1, 1, 1, 1, 0.5]
    assert feather(4, 1, 0, 0, (8, 1), 4)[0, 0, :, 0].tolist() == [1, 0.75, 0.5, 0.25]
    assert feather(3, 3, 1, 1, (8, 8), 0).unique().tolist() == [1]
