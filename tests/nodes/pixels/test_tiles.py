from itertools import pairwise

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from nodes.pixels.tiles import averaged, enlarge, in_tiles, ramp, starts


def twice(piece):
    return interpolate(piece, scale_factor=2, mode="nearest-exact")


def ignore(done, total):
    pass


def noise(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


@given(st.integers(1, 300), st.integers(9, 64), st.integers(0, 8))
def test_tiles_cover_a_side_and_overlap(length, tile, overlap):
    begins = list(starts(length, tile, overlap))
    assert begins[0] == 0 and begins[-1] + tile >= length
    assert all(later - earlier == tile - overlap for earlier, later in pairwise(begins))


def test_ramp_rises_to_one_from_both_ends():
    assert torch.allclose(ramp(8, 3), torch.tensor([1 / 3, 2 / 3, 1, 1, 1, 1, 2 / 3, 1 / 3]))
    assert ramp(4, 0).tolist() == [1, 1, 1, 1]
    assert ramp(3, 3).tolist() == [1, 1, 1]


def test_a_local_network_gives_the_same_in_tiles():
    images = noise(2, 3, 50, 71)
    tiled = enlarge(twice, images, 2, ignore, tile=32, overlap=8)
    assert torch.allclose(tiled, twice(images), atol=1e-6)


def test_a_picture_of_one_tile_goes_through_the_network_whole():
    seen = []

    def network(piece):
        seen.append(piece.shape)
        return twice(piece)

    image = noise(1, 3, 512, 40)
    assert torch.equal(enlarge(network, image, 2, ignore), twice(image))
    assert seen == [(1, 3, 512, 40)]


def test_tiles_are_blended_linearly_over_the_overlap():
    numbers = iter([0.0, 1.0])

    def flat(piece):
        return torch.full_like(piece, next(numbers))

    row = enlarge(flat, torch.zeros(1, 1, 1, 12), 1, ignore, tile=8, overlap=4)[0, 0, 0]
    left, right = ramp(8, 4)[4:], ramp(8, 4)[:4]
    assert torch.allclose(row, torch.cat([torch.zeros(4), right / (left + right), torch.ones(4)]))


def test_the_result_is_clamped():
    image = torch.tensor([[[[0.2, 0.9]]]])
    assert enlarge(lambda piece: piece * 4 - 1, image, 1, ignore).tolist() == [[[[0, 1]]]]


def test_each_tile_of_each_picture_is_reported():
    steps = []
    enlarge(twice, noise(2, 1, 8, 20), 2, lambda *step: steps.append(step), tile=8, overlap=2)
    assert steps == [(done, 6) for done in range(1, 7)]


def half(piece):
    return piece[..., ::2, ::2]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(4, 20))
def test_networks_that_shrink(rows, columns, tile):
    images = noise(1, 2, 2 * rows, 2 * columns)
    assert torch.allclose(in_tiles(half, images, (tile, tile), 2, ignore, shrinks=2), half(images), atol=1e-6)


def test_a_local_network_gives_the_same_in_tiles_of_three_shapes():
    seen, steps = set(), []

    def network(piece):
        seen.add(tuple(piece.shape[-2:]))
        return twice(piece)

    images = noise(2, 3, 40, 40)
    result = averaged(network, images, 8, 2, lambda *step: steps.append(step), grows=2)
    assert torch.allclose(result, twice(images), atol=1e-6)
    assert {(4, 16), (16, 4), (8, 8)} <= seen
    assert steps == [(done, len(steps)) for done in range(1, len(steps) + 1)]
