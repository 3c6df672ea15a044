import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nodes.pixels.resize import bislerp, center_crop, resize, slerp

sides = st.integers(1, 9)


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_nearest_exact_repeats_cells():
    picture = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    wide = resize(picture, 4, 2, "nearest-exact")
    assert wide.tolist() == [[[[1, 1, 2, 2], [3, 3, 4, 4]]]]


def test_area_is_the_mean_of_blocks():
    picture = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert resize(picture, 2, 2, "area").tolist() == [[[[2.5, 4.5], [10.5, 12.5]]]]


def test_bilinear_has_cell_centres_at_halves():
    picture = torch.tensor([[[[0.0, 1.0]]]])
    assert resize(picture, 4, 1, "bilinear").tolist() == [[[[0, 0.25, 0.75, 1]]]]


def test_bicubic_overshoots_an_edge():
    picture = torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]]).expand(1, 1, 4, 4)
    result = resize(picture, 8, 4, "bicubic")
    assert result.min() < 0 and result.max() > 1


@given(sides, sides, sides, sides, st.sampled_from(["nearest-exact", "bilinear", "area", "lanczos", "bislerp"]))
def test_flat_pictures_stay_flat(height, width, new_height, new_width, method):
    picture = torch.full((2, 3, height, width), 0.6)
    result = resize(picture, new_width, new_height, method)
    assert result.shape == (2, 3, new_height, new_width)
    assert torch.allclose(result, torch.tensor(0.6), atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(4, 8), (8, 4)])
def test_center_crop_cuts_both_sides_to_a_square(height, width):
    picture = torch.arange(32.0).reshape(1, 1, height, width)
    cut = center_crop(picture, 1.0)
    assert torch.equal(cut, picture[..., :4, 2:6] if width == 8 else picture[..., 2:6, :4])


@given(sides, sides, sides, sides)
def test_center_crop_cuts_one_axis_evenly(height, width, new_height, new_width):
    picture = noise(1, 1, height, width)
    cut = center_crop(picture, new_width / new_height)
    x, y = (width - cut.shape[3]) // 2, (height - cut.shape[2]) // 2
    assert x == 0 or y == 0
    assert torch.equal(cut, picture[..., y : height - y, x : width - x])


def test_crop_comes_before_resizing():
    picture = noise(1, 3, 4, 8)
    assert torch.equal(resize(picture, 2, 2, "area", "center"), resize(picture[..., 2:6].contiguous(), 2, 2, "area"))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_lanczos_is_pillows_on_8_bits(channels):
    picture = noise(2, channels, 9, 7) * 1.2 - 0.1
    result = resize(picture, 12, 5, "lanczos")
    for index in range(2):
        pixels = (picture[index] * 255).clamp(0, 255).byte().movedim(0, -1).squeeze(-1).numpy()
        expected = np.asarray(Image.fromarray(pixels).resize((12, 5), Image.Resampling.LANCZOS)).astype(np.float32)
        assert np.array_equal(result[index].movedim(0, -1).squeeze(-1).numpy(), expected / 255)


def test_slerp_turns_along_the_arc_and_blends_lengths():
    a, b = torch.tensor([[1.0], [0.0]]).T.reshape(1, 2, 1), torch.tensor([0.0, 3.0]).reshape(1, 2, 1)
    half = slerp(a, b, torch.tensor([0.5]))
    assert torch.allclose(half.flatten(), torch.tensor([1.0, 1.0]) / 2**0.5 * 2)


def test_slerp_of_zero_opposite_and_equal_directions():
    a = torch.tensor([1.0, 0.0]).reshape(1, 2, 1)
    t = torch.tensor([0.25])
    assert torch.equal(slerp(a, 5 * a, t), a)
    assert torch.allclose(slerp(a, -a, t), a * 0.5)
    assert torch.isfinite(slerp(a, torch.zeros_like(a), t)).all()


def test_bislerp_keeps_directions_on_the_arc_between_neighbours():
    angles = torch.tensor([0.0, 1.0, 2.0])
    circle = torch.stack([angles.cos(), angles.sin()]).reshape(1, 2, 1, 3)
    result = bislerp(circle, 6, 1)
    expected = torch.tensor([0.0, 0.25, 0.75, 1.25, 1.75, 2.0])
    assert torch.allclose(torch.atan2(result[0, 1, 0], result[0, 0, 0]), expected, atol=1e-5)
    assert torch.allclose(bislerp(circle.mT, 1, 6), result.mT)


@given(sides, sides, st.integers(0, 99))
def test_bislerp_to_the_same_size_changes_nothing(height, width, seed):
    latent = noise(1, 4, height, width, seed=seed) - 0.5
    assert torch.allclose(bislerp(latent, width, height), latent, atol=1e-6)
