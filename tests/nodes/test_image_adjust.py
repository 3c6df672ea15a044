import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from nodes.image import image_scale_by
from nodes.image_adjust import (
    image_blur,
    image_crop,
    image_flip,
    image_invert,
    image_rotate,
    resize_and_pad_image,
)


def noise(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def test_invert():
    assert image_invert(torch.tensor([[[[0.0, 0.25, 1.0]]]])).tolist() == [[[[1, 0.75, 0]]]]


@given(st.integers(0, 255))
def test_inverting_twice_is_the_identity(level):
    image = torch.full((1, 1, 1, 3), level / 255)
    assert torch.allclose(image_invert(image_invert(image)), image, atol=1e-7)


def test_crop_takes_columns_by_x_and_rows_by_y():
    image = noise(2, 5, 7, 3)
    assert torch.equal(image_crop(image, width=2, height=3, x=4, y=1), image[:, 1:4, 4:6])


def test_crop_ends_at_the_border():
    image = noise(1, 5, 7, 3)
    assert torch.equal(image_crop(image, width=100, height=100, x=5, y=3), image[:, 3:, 5:])
    assert torch.equal(image_crop(image, width=100, height=100, x=50, y=50), image[:, 4:, 6:])


@given(st.integers(0, 5), st.integers(0, 5), st.integers(1, 6), st.integers(1, 6), st.integers(1, 3))
def test_cropping_an_enlarged_picture_is_enlarging_a_crop(x, y, width, height, factor):
    image = noise(1, 6, 6, 3)

    def large(picture):
        return image_scale_by(picture, upscale_method="nearest-exact", scale_by=float(factor))

    sizes = (side * factor for side in (width, height, x, y))
    assert torch.equal(image_crop(large(image), *sizes), large(image_crop(image, width, height, x, y)))


def test_a_crop_is_a_copy():
    image = noise(1, 4, 4, 3)
    assert image_crop(image, 4, 4).data_ptr() != image.data_ptr()


def test_blur_keeps_flat_pictures_and_spreads_a_dot():
    flat = torch.full((1, 6, 6, 4), 0.3)
    assert torch.allclose(image_blur(flat, 2, 1.0), flat)
    dot = torch.zeros(1, 5, 5, 1)
    dot[0, 2, 2] = 1
    blurred = image_blur(dot, 1, 0.5)
    assert torch.isclose(blurred.sum(), torch.tensor(1.0))
    assert torch.count_nonzero(blurred) == 9 and blurred[0, 2, 2, 0] == blurred.max()


def test_a_blur_wider_than_the_picture_is_an_error():
    with pytest.raises(InputError, match="too small for this blur") as caught:
        image_blur(noise(1, 4, 9, 3), 4, 1.0)
    assert "9 x 4" in caught.value.got and caught.value.hint == "Use a radius below 4."


def test_flipping_and_turning():
    image = torch.arange(4.0).view(1, 2, 2, 1)
    assert image_flip(image, flip_method="x-axis: vertically").flatten().tolist() == [2, 3, 0, 1]
    assert image_flip(image, flip_method="y-axis: horizontally").flatten().tolist() == [1, 0, 3, 2]
    assert image_rotate(image, rotation="90 degrees").flatten().tolist() == [2, 0, 3, 1]
    assert image_rotate(image, rotation="none") is not None


def test_a_frame_keeps_the_proportions():
    image = torch.full((1, 4, 8, 3), 0.5)
    framed = resize_and_pad_image(image, 16, 16, padding_color="white", interpolation="bilinear")
    assert framed[0, :, 3, 0].tolist() == [1] * 4 + [0.5] * 8 + [1] * 4
    assert resize_and_pad_image(image, 5, 9, padding_color="black", interpolation="area").shape == (1, 9, 5, 3)
