import torch
from hypothesis import given
from hypothesis import strategies as st

from nodes.packs.names.tiling import in_tiles


@given(st.lists(st.tuples(st.integers(1, 24), st.integers(5, 12)), min_size=1, max_size=3), st.integers(0, 3))
def test_tiles_of_what_changes_nothing_are_what_went_in(axes: list[tuple[int, int]], overlap: int) -> None:
    samples = torch.rand(2, 1, *(side for side, _ in axes))
    tile = [length for _, length in axes]
    same = [lambda length: length] * len(axes)
    found = in_tiles(samples, lambda x: x, tile, [overlap] * len(axes), same, same, 1, "cpu", lambda: None)
    assert torch.allclose(found, samples, atol=1e-6)
