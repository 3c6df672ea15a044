import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from nodes.image_batch import (
    get_image_size,
    image_add_noise,
    image_from_batch,
    image_rgb_to_yuv,
    image_yuv_to_rgb,
    rebatch_images,
    repeat_image_batch,
)


def noise(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("first", "length", "places"), [(0, 1, [0]), (1, 2, [1, 2]), (2, 9, [2]), (7, 2, [2])])
def test_from_a_batch(first, length, places):
    image = noise(3, 2, 2, 3)
    assert torch.equal(image_from_batch(image, first, length), image[places])


def test_repeating_a_batch():
    image = noise(2, 2, 2, 3)
    assert torch.equal(repeat_image_batch(image, 2), image[[0, 1, 0, 1]])


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(1, 5))
def test_rebatching_keeps_the_order(sizes, size):
    images = [noise(count, 2, 2, 3) + place for place, count in enumerate(sizes)]
    found = rebatch_images(images, [size])
    assert torch.equal(torch.cat(found), torch.cat(images))
    assert [len(each) for each in found[:-1]] == [size] * (len(found) - 1) and len(found[-1]) <= size


def test_rebatching_does_not_mix_sizes():
    found = rebatch_images([noise(1, 2, 2, 3), noise(2, 2, 3, 3), noise(1, 2, 3, 3)], [4])
    assert [each.shape[:3] for each in found] == [(1, 2, 2), (3, 2, 3)]


def test_size():
    assert get_image_size(noise(4, 2, 3, 3)) == (3, 2, 4)


def test_noise_has_a_seed_and_a_strength():
    image = torch.full((1, 16, 16, 3), 0.5)
    found = image_add_noise(image, 3, 0.1)
    assert torch.equal(found, image_add_noise(image, 3, 0.1)) and not torch.equal(found, image_add_noise(image, 4, 0.1))
    assert found.std() == pytest.approx(0.1, rel=0.1) and torch.equal(image_add_noise(image, 3, 0.0), image)


def test_brightness_and_colour_are_grey_pictures_and_make_the_picture_again():
    image = noise(2, 3, 4, 3)
    parts = image_rgb_to_yuv(image)
    assert [part.shape for part in parts] == [image.shape] * 3
    assert all(torch.equal(part[..., 0], part[..., 2]) for part in parts)
    torch.testing.assert_close(image_yuv_to_rgb(*parts), image, atol=2e-3, rtol=0)
    with pytest.raises(InputError, match="not of one size"):
        image_yuv_to_rgb(parts.Y, parts.U[:1], parts.V)
