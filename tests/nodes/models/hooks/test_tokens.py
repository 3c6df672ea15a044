import torch
from hypothesis import given
from hypothesis import strategies as st

from nodes.models.hooks.tokens import Merging, _tiles, tile_counts


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_tiles_are_put_back_where_they_were(down, across, rows, columns):
    height, width = down * rows, across * columns
    x = torch.arange(2.0 * height * width * 3).view(2, height * width, 3)
    cut, joined = _tiles(height, width, down, across)
    tiles = cut(x)
    assert tiles.shape == (2 * down * across, rows * columns, 3) and torch.equal(joined(tiles), x)
    picture = x.view(2, height, width, 3)
    assert torch.equal(tiles[0].view(rows, columns, 3), picture[0, :rows, :columns])
    assert torch.equal(tiles[-1].view(rows, columns, 3), picture[-1, -rows:, -columns:])


@given(st.integers(1, 200), st.integers(1, 64), st.integers(1, 5))
def test_sides_are_cut_evenly_into_large_enough_tiles(side, least, swap):
    counts = tile_counts(side, least, swap)
    assert 1 <= len(counts) <= swap and counts == sorted(counts, reverse=True)
    assert all(side % count == 0 and side // count >= min(side, least) for count in counts)


@given(st.integers(2, 7), st.integers(2, 7), st.floats(0, 1), st.integers(0, 5))
def test_tokens_that_were_not_merged_come_back(height, width, ratio, seed):
    x = torch.randn(2, height * width, 4, generator=torch.Generator().manual_seed(seed))
    merging = Merging(height, width, ratio)
    few = merging.merge(x)
    assert few.shape == (2, height * width - merging.count, 4)
    restored = merging.restore(few)
    alike = (restored == x).all(-1).sum(1)
    assert (alike >= height * width - (height // 2) * (width // 2) - merging.count).all()


def test_equal_tokens_are_merged_without_loss():
    x = torch.randn(1, 1, 4).expand(2, 16, 4).contiguous()
    merging = Merging(4, 4, 0.75)
    few = merging.merge(x)
    assert few.shape == (2, 4, 4)
    torch.testing.assert_close(merging.restore(few), x)


def test_a_token_is_merged_into_what_is_most_like_it():
    x = torch.tensor([[[1.0, 0], [0, 1], [0.9, 0.1], [1, 1]]]).view(1, 4, 2)
    merging = Merging(2, 2, 0.25)  # the first token stays, one of the others goes
    assert torch.equal(merging.merge(x)[:, -1], (x[:, 0] + x[:, 2]) / 2)
